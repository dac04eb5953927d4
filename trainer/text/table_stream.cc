#include "trainer/text/table_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr int kAskStopMs = 250;

int open_input(const std::string& path) {
  if (path == "-") return STDIN_FILENO;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    throw Error(errno == ENOENT || errno == ENOTDIR ? ErrorCode::not_found : ErrorCode::io, "cannot open " + printable(path) + ": " +
                std::strerror(errno));
  }
  return file;
}

/// `end` moved back over empty lines: they may be the file's last, or stand before more.
std::size_t without_empty_lines(std::string_view text, std::size_t end) {
  const auto ends_empty = [&](std::string_view line_end) {
    const std::string_view before = text.substr(0, end);
    if (!before.ends_with(line_end)) return false;
    const std::string_view rest = before.substr(0, end - line_end.size());
    return rest.empty() || rest.ends_with('\n');
  };
  for (;;) {
    if (ends_empty("\r\n")) {
      end -= 2;
    } else if (ends_empty("\n")) {
      end -= 1;
    } else {
      return end;
    }
  }
}

}  // namespace

TableStream::TableStream(const std::string& path, TableOptions options, std::function<bool()> stop, std::size_t read_bytes)
    : path_(path == "-" ? "standard input" : path), options_(std::move(options)), stop_(std::move(stop)), read_bytes_(read_bytes), file_(-1),
      table_(empty_table(path_, options_)), reader_(table_, options_) {
  file_ = open_input(path);
}

TableStream::~TableStream() {
  if (file_ > STDIN_FILENO) ::close(file_);
}

bool TableStream::wait_for_input() const {
  for (;;) {
    if (stop_()) return false;
    struct pollfd input = {file_, POLLIN, 0};
    if (::poll(&input, 1, kAskStopMs) > 0) return true;
  }
}

/// One read more; false where `stop` said so.
bool TableStream::fill() {
  for (;;) {
    if (!wait_for_input()) return false;
    const std::size_t before = pending_.size();
    pending_.resize(before + read_bytes_);
    const ssize_t got = ::read(file_, pending_.data() + before, read_bytes_);
    pending_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    ended_ = got == 0;
    if (got >= 0) return true;
    if (errno != EINTR && errno != EAGAIN) throw Error(ErrorCode::io, "cannot read " + printable(path_) + ": " + std::strerror(errno));
  }
}

std::size_t TableStream::whole_records() {
  if (ended_) return pending_.size();
  for (; scanned_ < pending_.size(); ++scanned_) {
    const char c = pending_[scanned_];
    if (c == '"' && table_.format == TableFormat::csv) quoted_ = !quoted_;
    if (c == '\n' && !quoted_) records_end_ = scanned_ + 1;
  }
  const std::size_t end = without_empty_lines(pending_, records_end_);
  return end == 0 && pending_.size() > options_.max_line_bytes ? pending_.size() : end;  // too long a record: the reader says so
}

/// Makes rows of the first `size` bytes that are pending.
void TableStream::take(std::size_t size) {
  table_.rows.clear();
  const std::string_view piece(pending_.data(), size);
  reader_.read(TableBytes(piece, path_, options_.max_line_bytes, line_));
  line_ += static_cast<std::uint32_t>(std::count(piece.begin(), piece.end(), '\n'));
  pending_.erase(0, size);
  scanned_ -= std::min(scanned_, size);
  records_end_ -= std::min(records_end_, size);
}

const TextTable* TableStream::next() {
  while (!ended_) {
    if (!fill()) return nullptr;
    const std::size_t size = whole_records();
    if (size == 0 && !(ended_ && line_ == 1)) continue;
    take(size);
    any_rows_ = any_rows_ || !table_.rows.empty();
    if (!table_.rows.empty()) return &table_;
  }
  if (!any_rows_) require_rows(table_);
  return nullptr;
}

}  // namespace dstore
