dstore_layer(repo
  SOURCES repo/align.cc repo/apply.cc repo/base_folder.cc repo/bundle.cc repo/cast_source.cc repo/catalog.cc repo/catalog_bundle.cc
          repo/catalog_file.cc repo/change_folder.cc repo/change_ranks.cc repo/change_window.cc repo/checkout.cc repo/checkout_files.cc
          repo/checkout_record.cc repo/choose_derivation.cc repo/clone_sources.cc repo/closure.cc repo/commit_facts.cc repo/commit_folder.cc
          repo/commit_size.cc repo/commit_stage.cc repo/commit_tensors.cc repo/compare_tasks.cc repo/compose.cc repo/copy_commits.cc
          repo/derived_tensor.cc repo/disk_usage.cc repo/folder_lock.cc repo/folder_undo.cc repo/forget.cc repo/forgotten.cc repo/fsck.cc
          repo/fsck_state.cc repo/history.cc repo/import.cc repo/known_heads.cc repo/link_folder.cc repo/low_rank.cc repo/low_rank_kernel.cc
          repo/merge.cc repo/merged_source.cc repo/missing_objects.cc repo/model.cc repo/model_files.cc repo/publish.cc repo/query.cc
          repo/query_views.cc repo/reachable.cc repo/repack.cc repo/repair.cc repo/repair_refs.cc repo/repository.cc repo/resident.cc
          repo/revision.cc
          repo/select_entries.cc repo/shard_stream.cc repo/sparse_source.cc repo/sparsify.cc repo/store.cc repo/store_checkpoint.cc
          repo/stored_weights.cc repo/tensor_ids.cc repo/transfer.cc repo/undo_file.cc repo/write_delta.cc
  LINK dstore_object dstore_merge dstore_delta dstore_odb dstore_sign dstore_tensor dstore_base)
# Loops that must vectorise; nothing that lets the compiler reorder or fuse (spec/objects.md, "Low rank").
set_source_files_properties(repo/low_rank_kernel.cc PROPERTIES COMPILE_OPTIONS "-O3;-ffp-contract=off")
