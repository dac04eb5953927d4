dstore_layer(object
  SOURCES object/checkpoint_table.cc object/chunked.cc object/commit.cc object/delta_table.cc object/evaluation.cc object/name_table.cc object/weights_table.cc
  LINK dstore_tensor dstore_base)
