# What the static library needs at link time; then the target dstore::diffstore.
include(CMakeFindDependencyMacro)
find_dependency(OpenSSL)
find_dependency(SQLite3)
find_dependency(Threads)
find_dependency(PkgConfig)
pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
include(${CMAKE_CURRENT_LIST_DIR}/diffstoreTargets.cmake)
