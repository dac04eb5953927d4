dstore_test(delta
  SOURCES delta/byte_huffman_test.cc delta/chunk_codec_test.cc delta/difference_test.cc delta/huffman_test.cc delta/kernels_test.cc delta/memory_patch_test.cc delta/positions_test.cc
          delta/score_test.cc delta/segment_test.cc delta/segment_damage_test.cc delta/segment_size_test.cc delta/segment_spec_test.cc delta/sparse_piece_test.cc delta/stats_test.cc
          delta/value_coders_test.cc delta/tensor_pairs.cc
  LINK dstore_delta dstore_base)
