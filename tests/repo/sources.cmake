dstore_test(repo
  SOURCES repo/adapter_test.cc repo/catalog_test.cc repo/checkout_test.cc repo/commit_folder_test.cc repo/compare_tasks_test.cc repo/compose_test.cc repo/crowd_test.cc repo/derived_test.cc repo/forget_test.cc repo/fsck_test.cc repo/gc_test.cc
          repo/model_version_test.cc repo/open_revision_test.cc repo/open_task_test.cc repo/publish_test.cc repo/records_test.cc repo/resident_test.cc repo/revision_test.cc repo/round_trip_test.cc repo/select_entries_test.cc
          repo/shard_hashes_test.cc repo/sparsify_test.cc repo/three_way_test.cc repo/transfer_test.cc repo/undo_file_test.cc delta/tensor_pairs.cc
  LINK dstore_repo dstore_object dstore_merge dstore_delta dstore_odb dstore_sign dstore_tensor dstore_base)
# Gigabytes of zeros, read often: apart, so that the sanitizers can leave it out.
dstore_test(repo_large
  SOURCES repo/large_tensor_test.cc
  LINK dstore_repo dstore_object dstore_merge dstore_delta dstore_odb dstore_sign dstore_tensor dstore_base)
