dstore_layer(repo
  SOURCES repo/adapter_config.cc repo/adapter_fold.cc repo/adapter_modules.cc repo/adapter_names.cc repo/align.cc repo/apply.cc
          repo/base_folder.cc repo/bundle.cc repo/cast_source.cc repo/catalog.cc repo/catalog_bundle.cc repo/catalog_file.cc
          repo/change_folder.cc repo/change_ranks.cc repo/change_window.cc repo/checkout.cc repo/checkout_files.cc repo/checkout_record.cc
          repo/choose_derivation.cc repo/clone_sources.cc repo/closure.cc repo/commit_adapter.cc repo/commit_computed.cc
          repo/commit_edits.cc repo/commit_facts.cc repo/commit_folder.cc repo/commit_patch.cc repo/commit_size.cc repo/commit_stage.cc
          repo/commit_tensors.cc repo/common_ancestor.cc repo/compare_stage.cc repo/compare_tasks.cc repo/compose.cc repo/composed_checkpoint.cc
          repo/copy_commits.cc repo/derived_tensor.cc repo/disk_usage.cc repo/edited_source.cc repo/evaluation_table.cc repo/evaluations.cc repo/export_lora.cc repo/export_shira.cc
          repo/export_sparse.cc repo/folder_lock.cc repo/folder_undo.cc repo/forget.cc repo/forgotten.cc repo/fsck.cc repo/fsck_state.cc
          repo/history.cc repo/import.cc repo/key_pattern.cc repo/known_heads.cc repo/link_folder.cc repo/low_rank.cc
          repo/low_rank_kernel.cc repo/merge.cc repo/merge_sources.cc repo/merged_source.cc repo/missing_objects.cc repo/model.cc
          repo/model_files.cc repo/model_version.cc
          repo/new_folder.cc repo/open_revision.cc repo/open_task.cc repo/overlay_source.cc repo/patch_layouts.cc repo/peft_output.cc repo/publish.cc
          repo/query.cc repo/query_views.cc repo/reachable.cc repo/repack.cc repo/repair.cc repo/repair_refs.cc repo/repository.cc
          repo/resident.cc repo/resolve_base.cc
          repo/revision.cc repo/revision_text.cc repo/safetensors_output.cc repo/same_tensor.cc repo/scratch_store.cc repo/select_entries.cc
          repo/shard_hashes.cc repo/shard_stream.cc repo/sparse_patch.cc repo/sparse_source.cc repo/sparsify.cc repo/store.cc repo/store_checkpoint.cc
          repo/store_commit.cc
          repo/stored_weights.cc repo/sum_source.cc repo/symmetric_eigen.cc repo/changed_tensors.cc repo/temporary_folder.cc repo/tensor_ids.cc repo/three_way.cc
          repo/three_way_files.cc repo/three_way_plan.cc repo/three_way_source.cc repo/transfer.cc repo/truncated_svd.cc repo/undo_file.cc repo/unfinished_runs.cc
          repo/write_delta.cc
  LINK dstore_object dstore_merge dstore_delta dstore_odb dstore_sign dstore_tensor dstore_base)
# Loops that must vectorise; nothing that lets the compiler reorder or fuse (spec/objects.md, "Low rank").
set_source_files_properties(repo/low_rank_kernel.cc repo/truncated_svd.cc PROPERTIES COMPILE_OPTIONS "-O3;-ffp-contract=off")
