#include "version.h"

#include <lz4.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <xxhash.h>

#include <nlohmann/json.hpp>

namespace dstore::cli {

std::string program_version() { return DSTORE_VERSION; }

std::string version_text() {
  const std::string json = std::to_string(NLOHMANN_JSON_VERSION_MAJOR) + "." + std::to_string(NLOHMANN_JSON_VERSION_MINOR) + "." +
                           std::to_string(NLOHMANN_JSON_VERSION_PATCH);
  const unsigned xxh = XXH_versionNumber();
  return "dstore " DSTORE_VERSION "\n"
         "compiler      GCC " __VERSION__ "\n"
         "SQLite        " + std::string(sqlite3_libversion()) + "\n"
         "LZ4           " + LZ4_versionString() + "\n"
         "xxHash        " + std::to_string(xxh / 10000) + "." + std::to_string(xxh / 100 % 100) + "." + std::to_string(xxh % 100) + "\n"
         "OpenSSL       " + OpenSSL_version(OPENSSL_VERSION_STRING) + "\n"
         "nlohmann-json " + json + "\n"
         "CLI11         " DSTORE_CLI11_VERSION "\n"
         "trainer       " DSTORE_TRAINER_VERSION;
}

}  // namespace dstore::cli
