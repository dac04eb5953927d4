# The programme behind `bench/run apply`; built on request only.
add_executable(apply_bench EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/apply/apply_bench.cc ${CMAKE_SOURCE_DIR}/bench/format/measure.cc)
target_include_directories(apply_bench PRIVATE ${CMAKE_SOURCE_DIR}/libdiffstore ${CMAKE_SOURCE_DIR}/libdiffstore/include ${CMAKE_SOURCE_DIR}/bench/format)
target_link_libraries(apply_bench PRIVATE dstore_flags dstore_delta dstore_tensor dstore_base)
