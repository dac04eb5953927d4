# Power cuts and faults, on a disk in memory.
dstore_test(durability
  SOURCES durability/disk.cc durability/memory_filesystem.cc durability/fault_test.cc durability/operations.cc
          durability/power_loss_test.cc durability/sync_test.cc durability/violations.cc
  LINK dstore_repo dstore_object dstore_delta dstore_odb dstore_sign dstore_tensor dstore_base)
if(DSTORE_MUTANTS AND Python_EXECUTABLE)
  add_test(NAME mutants COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/durability/mutants.py ${CMAKE_CURRENT_BINARY_DIR})
  set_tests_properties(mutants PROPERTIES TIMEOUT 3600)
endif()
