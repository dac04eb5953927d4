find_package(nlohmann_json REQUIRED)
set(trainer_text_dir ${CMAKE_CURRENT_LIST_DIR})

dstore_test(trainer_text
  SOURCES ${trainer_text_dir}/batches_test.cc ${trainer_text_dir}/dataset_test.cc ${trainer_text_dir}/metrics_test.cc
          ${trainer_text_dir}/philox_test.cc ${trainer_text_dir}/table_stream_test.cc ${trainer_text_dir}/table_test.cc ${trainer_text_dir}/tokenizer_test.cc
  LINK dstore_text dstore_base nlohmann_json::nlohmann_json)
target_compile_definitions(trainer_text_test PRIVATE DSTORE_TRAINER_TEXT_FIXTURES="${trainer_text_dir}")

add_executable(tokenize_lines ${trainer_text_dir}/tokenize_lines.cc)
target_link_libraries(tokenize_lines PRIVATE dstore_flags dstore_text dstore_base nlohmann_json::nlohmann_json)

# Live comparison with the `tokenizers` package; skipped where no Python has it.
find_program(trainer_text_python NAMES python3)
if(trainer_text_python)
  add_test(NAME trainer_text_live
    COMMAND ${trainer_text_python} ${trainer_text_dir}/tokenizer_live_test.py $<TARGET_FILE:tokenize_lines>)
  add_test(NAME trainer_text_tables COMMAND ${trainer_text_python} ${trainer_text_dir}/tables_test.py)
  set_tests_properties(trainer_text_live trainer_text_tables PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
endif()
