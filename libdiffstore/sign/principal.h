#pragma once

#include <string>
#include <string_view>

namespace dstore {

/// One plain name that allowed_signers takes as it is: 1 to 255 bytes of visible ASCII or UTF-8, without spaces, quotes,
/// commas, wildcards, '!' and '#'.
bool is_plain_principal(std::string_view text);

/// `text` with every byte that is_plain_principal() refuses replaced by '_'; "unknown" if it is empty.
std::string plain_principal(std::string_view text);

/// A commit's author ("Ada Lovelace <ada@b>") as a principal: the address in angle brackets if there is one, else the
/// whole, made plain.
std::string principal_from_author(std::string_view author);

/// OpenSSH pattern list (ssh_config(5), PATTERNS): comma-separated, '*' and '?' match, a leading '!' refuses.
bool matches_pattern_list(std::string_view text, std::string_view patterns);

}  // namespace dstore
