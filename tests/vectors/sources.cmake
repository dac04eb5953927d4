# spec/vectors, read by the library and by the independent reader.
set(vectors_dir ${CMAKE_CURRENT_LIST_DIR})
find_package(nlohmann_json REQUIRED)
dstore_test(vectors SOURCES ${vectors_dir}/vectors_test.cc ${vectors_dir}/read_row.cc LINK dstore::diffstore nlohmann_json::nlohmann_json)
target_include_directories(vectors_test PRIVATE ${PROJECT_SOURCE_DIR}/libdiffstore)
target_compile_definitions(vectors_test PRIVATE DSTORE_VECTORS="${PROJECT_SOURCE_DIR}/spec/vectors")

if(NOT cli_python)
  find_program(cli_python NAMES python3)
endif()
if(cli_python)
  add_test(NAME vectors_reader COMMAND ${cli_python} ${vectors_dir}/vectors_test.py)
  set_tests_properties(vectors_reader PROPERTIES TIMEOUT 900 ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
endif()

# Makes vectors for new cases (make.py).
add_executable(make_valid_vectors ${vectors_dir}/make_valid.cc ${vectors_dir}/make_formats.cc delta/tensor_pairs.cc object/samples.cc)
target_link_libraries(make_valid_vectors PRIVATE dstore_flags dstore::diffstore PkgConfig::XXHASH)
target_include_directories(make_valid_vectors PRIVATE ${PROJECT_SOURCE_DIR}/libdiffstore ${CMAKE_CURRENT_SOURCE_DIR})
