# The programme behind `bench/run format`; built on request only.
set(format_bench_dir ${CMAKE_SOURCE_DIR}/bench/format)
add_executable(format_bench EXCLUDE_FROM_ALL
  ${format_bench_dir}/checkpoint_commands.cc ${format_bench_dir}/checkpoint_pair.cc ${format_bench_dir}/format_bench.cc
  ${format_bench_dir}/measure.cc ${format_bench_dir}/positions.cc ${format_bench_dir}/scatter.cc)
target_include_directories(format_bench PRIVATE ${CMAKE_SOURCE_DIR}/libdiffstore ${CMAKE_SOURCE_DIR}/libdiffstore/include)
target_link_libraries(format_bench PRIVATE dstore_flags dstore_delta dstore_tensor dstore_base)
