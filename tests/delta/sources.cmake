dstore_test(delta
  SOURCES delta/huffman_test.cc delta/segment_test.cc delta/segment_damage_test.cc delta/segment_size_test.cc
          delta/score_test.cc delta/segment_spec_test.cc delta/stats_test.cc delta/tensor_pairs.cc
  LINK dstore_delta dstore_base)
