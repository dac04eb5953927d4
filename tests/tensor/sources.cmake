dstore_test(tensor
  SOURCES tensor/checkpoint_folder_test.cc tensor/dtype_test.cc tensor/float_convert_test.cc tensor/ignore_file_test.cc
          tensor/python_test.cc tensor/safetensors_file_test.cc tensor/safetensors_samples.cc tensor/safetensors_test.cc
          tensor/safetensors_write_test.cc
  LINK dstore_tensor dstore_base)
target_compile_definitions(tensor_test PRIVATE DSTORE_TENSOR_TESTS="${CMAKE_CURRENT_LIST_DIR}")
