# The benches of single codecs.
add_executable(chunk_bench ${CMAKE_SOURCE_DIR}/bench/chunk_bench.cc)
target_include_directories(chunk_bench PRIVATE ${CMAKE_SOURCE_DIR}/libdiffstore ${CMAKE_SOURCE_DIR}/libdiffstore/include)
target_link_libraries(chunk_bench PRIVATE dstore_flags dstore_delta dstore_tensor dstore_base PkgConfig::LZ4)
add_executable(segment_bench ${CMAKE_SOURCE_DIR}/bench/segment_bench.cc)
target_include_directories(segment_bench PRIVATE ${CMAKE_SOURCE_DIR}/libdiffstore ${CMAKE_SOURCE_DIR}/libdiffstore/include)
target_link_libraries(segment_bench PRIVATE dstore_flags dstore_delta dstore_base)
