#include "exit_code.h"

namespace dstore::cli {
namespace {

struct Row {
  ErrorCode code;
  int status;
  const char* meaning;
};

constexpr Row kRows[] = {
    {ErrorCode::invalid_argument, 2, "wrong usage or input"},
    {ErrorCode::not_found, 3, "no such revision, object, file or remote ref"},
    {ErrorCode::corrupt, 4, "stored or given bytes are damaged"},
    {ErrorCode::untrusted, 5, "a signature is missing, wrong or by an untrusted key"},
    {ErrorCode::conflict, 6, "would overwrite something, wrong base, or somebody else was faster"},
    {ErrorCode::unsupported, 7, "a format, version or feature this build does not handle"},
    {ErrorCode::io, 8, "the system refused: disk full, permissions, ..."},
    {ErrorCode::remote, 9, "the remote cannot be reached or used"},
};

}  // namespace

int exit_code(ErrorCode code) {
  for (const Row& row : kRows) {
    if (row.code == code) return row.status;
  }
  return kFindings;
}

std::string exit_code_table() {
  std::string out = "Exit status:\n    0  done\n    1  done, and the answer is no (differences, nothing to commit)\n";
  for (const Row& row : kRows) out += "    " + std::to_string(row.status) + "  " + row.meaning + "\n";
  return out + "  130  interrupted\n";
}

}  // namespace dstore::cli
