dstore_test(base
  SOURCES base/atomic_file_test.cc base/bytes_test.cc base/edit_distance_test.cc base/filesystem_test.cc base/id_test.cc
          base/json_test.cc base/decimal_test.cc base/parallel_test.cc base/radix_select_test.cc base/speed_test.cc
  LINK dstore_base)
