dstore_layer(tensor
  SOURCES tensor/checkpoint_folder.cc tensor/dtype.cc tensor/float_convert.cc tensor/folder_scan.cc tensor/ignore_file.cc
          tensor/safetensors.cc tensor/safetensors_file.cc tensor/safetensors_write.cc tensor/shard_index.cc tensor/tensor_name.cc
  LINK dstore_base nlohmann_json::nlohmann_json)
