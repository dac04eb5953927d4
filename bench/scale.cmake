# The programme behind `bench/run scale`; built on request only.
add_executable(scale_bench EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/scale_bench.cc)
target_include_directories(scale_bench PRIVATE ${CMAKE_SOURCE_DIR}/libdiffstore ${CMAKE_SOURCE_DIR}/libdiffstore/include)
target_link_libraries(scale_bench PRIVATE dstore_flags dstore_repo dstore_merge diffstore)
