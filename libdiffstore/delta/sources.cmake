dstore_layer(delta
  SOURCES delta/block.cc delta/block_scan.cc delta/byte_huffman.cc delta/byte_huffman_decode.cc delta/chunk_codec.cc delta/context_model.cc delta/difference.cc delta/drift.cc
          delta/element.cc delta/float_bits.cc delta/huffman.cc delta/kernels.cc delta/kernels_avx2.cc delta/kernels_plain.cc delta/memory_patch.cc delta/package_merge.cc delta/piece.cc delta/piece_encoder.cc
          delta/planes.cc delta/positions.cc delta/profile.cc delta/score.cc delta/segment_apply.cc delta/segment_reader.cc delta/segment_writer.cc delta/stats.cc delta/unit_groups.cc
          delta/value_addend.cc delta/value_coders.cc delta/value_context.cc delta/value_planes.cc
  LINK PkgConfig::LZ4 PkgConfig::XXHASH)
# Loops that must vectorise.
set_source_files_properties(delta/kernels_avx2.cc delta/kernels_plain.cc delta/drift.cc delta/byte_huffman.cc delta/byte_huffman_decode.cc
  delta/block_scan.cc delta/chunk_codec.cc delta/context_model.cc delta/positions.cc delta/unit_groups.cc
  PROPERTIES COMPILE_OPTIONS "-O3;-fno-trapping-math;-fno-math-errno")
