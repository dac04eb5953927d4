# The independent reader (spec/decode.py): against the pages' examples, and against the program. What one writes, the other must read.
if(NOT cli_python)
  find_program(cli_python NAMES python3)
endif()

# dstore_spec_test(NAME FILE [CLASS]): the tests of FILE_test.py, or of one class of it, that ctest runs as spec_NAME.
function(dstore_spec_test name file)
  add_test(NAME spec_${name} COMMAND ${cli_python} ${CMAKE_CURRENT_SOURCE_DIR}/spec/${file}_test.py ${ARGN})
  set_tests_properties(spec_${name} PROPERTIES ENVIRONMENT "DSTORE_BIN=$<TARGET_FILE:dstore>;PYTHONDONTWRITEBYTECODE=1" TIMEOUT 900)
endfunction()

if(cli_python AND TARGET dstore)
  dstore_spec_test(examples examples)
  dstore_spec_test(revisions decode RevisionTest)
  dstore_spec_test(damage decode DamageTest)
  dstore_spec_test(links links)
endif()
