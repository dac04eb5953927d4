#include <malloc.h>

#include <array>
#include <csignal>
#include <exception>
#include <iostream>

#include "base/bytes.h"
#include "dstore/error.h"
#include "trainer/loop/memory.h"
#include "trainer/loop/options.h"

namespace {

/// The same table as dstore's own.
int exit_status(dstore::ErrorCode code) {
  switch (code) {
    case dstore::ErrorCode::invalid_argument: return 2;
    case dstore::ErrorCode::not_found: return 3;
    case dstore::ErrorCode::corrupt: return 4;
    case dstore::ErrorCode::untrusted: return 5;
    case dstore::ErrorCode::conflict: return 6;
    case dstore::ErrorCode::unsupported: return 7;
    case dstore::ErrorCode::io: return 8;
    case dstore::ErrorCode::remote: return 9;
  }
  return 1;
}

std::string first_line(const char* text) {
  const std::string_view all(text);
  return std::string(all.substr(0, all.find('\n')));
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit (ulimit -f) is an error of write() like any other
#ifdef M_MMAP_THRESHOLD
  // Gradients and activations come and go every step: keep their pages instead of faulting them in again.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
  try {
    return dstore::run_command_line(argc, argv);
  } catch (const dstore::Error& error) {
    std::cerr << "dstore: " << error.what() << '\n';
    return exit_status(error.code());
  } catch (const std::exception& error) {
    if (dstore::is_out_of_memory(error)) {
      std::cerr << "dstore: out of memory: " << dstore::kMemoryAdvice << '\n';
      return exit_status(dstore::ErrorCode::io);
    }
    std::cerr << "dstore: " << first_line(error.what()) << '\n';
  }
  return 1;
}
