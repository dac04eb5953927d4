dstore_test(odb
  SOURCES odb/collect_test.cc odb/damage_test.cc odb/index_test.cc odb/lease_test.cc odb/link_test.cc odb/object_store_test.cc odb/pack_test.cc
          odb/ref_log_test.cc odb/ref_name_test.cc odb/ref_search_test.cc odb/session_test.cc odb/sqlite_vfs_test.cc object/samples.cc delta/tensor_pairs.cc
  LINK dstore_odb dstore_object dstore_tensor dstore_delta dstore_base)
