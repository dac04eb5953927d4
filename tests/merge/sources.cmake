dstore_test(merge SOURCES merge/trim_test.cc merge/parameters_test.cc merge/methods_test.cc merge/number_loops_test.cc merge/piece_merge_test.cc
  merge/exponential_test.cc merge/order_test.cc merge/merge_cases.cc delta/tensor_pairs.cc
  LINK dstore_merge dstore_delta dstore_tensor dstore_base)
target_include_directories(merge_test PRIVATE delta)
# Beside mergekit and formulas in PyTorch, where the Python of the build has it.
if(Python_EXECUTABLE AND TARGET dstore)
  foreach(beside mergekit reference config)
    add_test(NAME merge_${beside}_parity COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/merge/${beside}_parity.py)
    set_tests_properties(merge_${beside}_parity PROPERTIES ENVIRONMENT "DSTORE_BIN=$<TARGET_FILE:dstore>;PYTHONDONTWRITEBYTECODE=1" TIMEOUT 900)
  endforeach()
endif()
