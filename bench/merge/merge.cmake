# The programme behind `bench/run merge`; built on request only.
set(merge_bench_dir ${CMAKE_SOURCE_DIR}/bench/merge)
add_executable(merge_bench EXCLUDE_FROM_ALL
  ${merge_bench_dir}/dense.cc ${merge_bench_dir}/merge_bench.cc ${merge_bench_dir}/sparse.cc ${CMAKE_SOURCE_DIR}/bench/format/measure.cc)
target_include_directories(merge_bench PRIVATE ${CMAKE_SOURCE_DIR}/libdiffstore ${CMAKE_SOURCE_DIR}/libdiffstore/include ${CMAKE_SOURCE_DIR}/bench/format)
target_link_libraries(merge_bench PRIVATE dstore_flags dstore_merge dstore_object dstore_delta dstore_tensor dstore_base)
