# Beside PEFT, where the Python of the build has it.
if(Python_EXECUTABLE AND TARGET dstore)
  add_test(NAME peft_parity COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/adapters/peft_parity.py)
  set_tests_properties(peft_parity PROPERTIES ENVIRONMENT "DSTORE_BIN=$<TARGET_FILE:dstore>;PYTHONDONTWRITEBYTECODE=1" TIMEOUT 900)
endif()
