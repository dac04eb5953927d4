# Power cuts and faults, on a disk in memory; an entry for each kind, so that they run side by side.
add_executable(durability_test
  durability/disk.cc durability/fault_test.cc durability/memory_filesystem.cc durability/operations.cc durability/power_loss_test.cc
  durability/sync_test.cc durability/violations.cc)
target_link_libraries(durability_test PRIVATE dstore_flags dstore_test_main
  dstore_repo dstore_object dstore_merge dstore_delta dstore_odb dstore_sign dstore_tensor dstore_base)
foreach(part power fault sync)
  add_test(NAME durability_${part} COMMAND durability_test "[${part}]")
  set_tests_properties(durability_${part} PROPERTIES TIMEOUT 900 COST 50)
endforeach()
if(DSTORE_MUTANTS AND Python_EXECUTABLE)
  add_test(NAME mutants COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/durability/mutants.py ${CMAKE_CURRENT_BINARY_DIR})
  set_tests_properties(mutants PROPERTIES TIMEOUT 3600)
endif()
