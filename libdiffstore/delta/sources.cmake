dstore_layer(delta
  SOURCES delta/block.cc delta/context_model.cc delta/coverages.cc delta/element.cc delta/float_bits.cc
          delta/huffman.cc delta/piece_encoder.cc delta/segment_apply.cc delta/segment_reader.cc
          delta/score.cc delta/segment_writer.cc delta/stats.cc delta/value_coders.cc
  LINK PkgConfig::XXHASH)
