#include "sign/allowed_signers.h"

#include "fuzz.h"
#include "sign/sshsig.h"

void dstore::fuzz::test_input(ByteSpan input) {
  const std::string_view text = as_text(input);
  accepted([&] {
    for (const AllowedSigner& signer : parse_allowed_signers(text, "input").signers) {
      require(!signer.principals.empty(), "a signer has a principal");
      signer.allows_namespace(kCommitNamespace);
      signer.allows_time(1'700'000'000);
      const std::string principal = signer.first_principal();
      if (!is_plain_principal(principal)) continue;
      const AllowedSigners again = parse_allowed_signers(allowed_signers_line(principal, signer.key), "own line");
      require(again.signers.size() == 1 && again.signers[0].key == signer.key && again.signers[0].principals == principal,
              "a line that is written is read back");
    }
  });
  accepted([&] { parse_key_list(text, "input"); });
  require(is_plain_principal(principal_from_author(text)), "any author becomes a plain principal");
}
