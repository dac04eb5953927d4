dstore_test(merge SOURCES merge/trim_test.cc merge/parameters_test.cc merge/methods_test.cc LINK dstore_merge diffstore)
# Beside mergekit, where the Python of the build has it.
if(Python_EXECUTABLE AND TARGET dstore)
  add_test(NAME merge_parity COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/merge/mergekit_parity.py)
  set_tests_properties(merge_parity PROPERTIES ENVIRONMENT "DSTORE_BIN=$<TARGET_FILE:dstore>;PYTHONDONTWRITEBYTECODE=1" TIMEOUT 900)
endif()
