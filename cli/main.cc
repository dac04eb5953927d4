#include <clocale>
#include <csignal>
#include <iostream>
#include <exception>
#include <new>

#include "base/interrupt.h"
#include "command.h"
#include "exit_code.h"

namespace {

void on_interrupt(int) { dstore::request_interrupt(); }

}  // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "C.UTF-8");
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit (ulimit -f) is an error of write() like any other
  // The first Ctrl-C ends the work at the next safe place and cleans up, the second one at once.
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  try {
    const int status = dstore::cli::run_command_line(argc, argv);
    if (std::cout.flush()) return status;
    throw dstore::Error(dstore::ErrorCode::io, "standard output cannot be written (is the disk full?); what was printed is not complete");
  } catch (const dstore::Interrupted&) {
    std::cerr << "dstore: interrupted; nothing was changed\n";
    return dstore::cli::kInterrupted;
  } catch (const dstore::Error& error) {
    std::cerr << "dstore: " << error.what() << "\n";
    return dstore::cli::exit_code(error.code());
  } catch (const std::bad_alloc&) {
    std::cerr << "dstore: out of memory; nothing was changed\n";
    return dstore::cli::exit_code(dstore::ErrorCode::io);
  } catch (const std::exception& error) {
    std::cerr << "dstore: unexpected failure: " << dstore::printable(error.what()) << "; nothing was changed\n";
    return dstore::cli::exit_code(dstore::ErrorCode::io);
  }
}
