# The program as a user types it, with plain unittest: no package is needed. Several entries, so that they run side by side.
if(Python_EXECUTABLE)
  set(cli_python ${Python_EXECUTABLE})
else()
  find_program(cli_python NAMES python3)
endif()

# dstore_cli_test(NAME FILE [CLASS]): the tests of FILE_test.py, or of one class of it, that ctest runs as cli_NAME.
function(dstore_cli_test name file)
  add_test(NAME cli_${name} COMMAND ${cli_python} ${CMAKE_CURRENT_SOURCE_DIR}/cli/${file}_test.py ${ARGN})
  set_tests_properties(cli_${name} PROPERTIES ENVIRONMENT "DSTORE_BIN=$<TARGET_FILE:dstore>;PYTHONDONTWRITEBYTECODE=1" TIMEOUT 900)
endfunction()

if(cli_python AND TARGET dstore)
  foreach(cli_test catalog log query stats usage story sharing folders stage sparsify merge merge_config full_disk read_only together upkeep crowd link without_base)
    dstore_cli_test(${cli_test} ${cli_test})
  endforeach()
  dstore_cli_test(damage damage DamageTest)
  dstore_cli_test(fsck fsck DamageTest)
  dstore_cli_test(fsck_repair fsck RepairTest)
  dstore_cli_test(damage_bit_flips damage BitFlipTest)
  dstore_cli_test(killed_writing killed WritingTest)
  dstore_cli_test(killed_resume killed ResumeTest)
  dstore_cli_test(killed_checkout killed CheckoutTest)
  dstore_cli_test(killed_sharing killed SharingTest)
  dstore_cli_test(killed_ledger killed LedgerTest)
  set_tests_properties(cli_damage_bit_flips cli_killed_writing PROPERTIES COST 100)  # the longest: started first
endif()
