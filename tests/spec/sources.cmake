# The independent reader (spec/decode.py): against the pages' examples, and against the program. What one writes, the other must read.
if(NOT cli_python)
  find_program(cli_python NAMES python3)
endif()

if(cli_python AND TARGET dstore)
  foreach(name examples revisions damage links apply)
    add_test(NAME spec_${name} COMMAND ${cli_python} ${CMAKE_CURRENT_SOURCE_DIR}/spec/${name}_test.py)
    set_tests_properties(spec_${name} PROPERTIES ENVIRONMENT "DSTORE_BIN=$<TARGET_FILE:dstore>;PYTHONDONTWRITEBYTECODE=1" TIMEOUT 900)
  endforeach()
endif()
