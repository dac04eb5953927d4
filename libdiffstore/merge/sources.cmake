dstore_layer(merge
  SOURCES merge/averages.cc merge/cholesky.cc merge/consensus.cc merge/element_merge.cc merge/exponential.cc merge/fisher.cc merge/merge_method.cc
    merge/model_ties.cc merge/number_loops.cc merge/number_loops_avx2.cc merge/number_loops_plain.cc merge/overlaps.cc merge/parameters.cc
    merge/pcb.cc merge/piece_merge.cc merge/presets.cc merge/regmean.cc merge/statistics.cc merge/task_vectors.cc merge/trim.cc merge/trim_rules.cc
  LINK dstore_delta dstore_tensor dstore_base)
# The results are defined operation by operation: nothing that lets the compiler fuse or reorder (spec/merging.md).
set_source_files_properties(merge/averages.cc merge/cholesky.cc merge/consensus.cc merge/exponential.cc merge/fisher.cc merge/model_ties.cc merge/overlaps.cc merge/pcb.cc merge/regmean.cc
  merge/task_vectors.cc merge/trim.cc merge/trim_rules.cc PROPERTIES COMPILE_OPTIONS "-O3;-ffp-contract=off")
set_source_files_properties(merge/element_merge.cc merge/piece_merge.cc PROPERTIES COMPILE_OPTIONS "-O3")
set_source_files_properties(merge/number_loops_avx2.cc merge/number_loops_plain.cc
  PROPERTIES COMPILE_OPTIONS "-O3;-ffp-contract=off;-fno-trapping-math;-fno-math-errno")
