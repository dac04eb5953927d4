dstore_test(merge SOURCES merge/trim_test.cc merge/parameters_test.cc merge/methods_test.cc merge/number_loops_test.cc merge/piece_merge_test.cc delta/tensor_pairs.cc
  LINK dstore_merge diffstore)
target_include_directories(merge_test PRIVATE delta)
# Beside mergekit, where the Python of the build has it.
if(Python_EXECUTABLE AND TARGET dstore)
  add_test(NAME merge_parity COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/merge/mergekit_parity.py)
  set_tests_properties(merge_parity PROPERTIES ENVIRONMENT "DSTORE_BIN=$<TARGET_FILE:dstore>;PYTHONDONTWRITEBYTECODE=1" TIMEOUT 900)
endif()
