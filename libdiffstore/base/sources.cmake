dstore_layer(base
  SOURCES base/atomic_file.cc base/bytes.cc base/decimal.cc base/edit_distance.cc base/filesystem.cc base/id.cc base/interrupt.cc base/json.cc
          base/mapped_file.cc base/ordered_pipeline.cc base/parallel.cc base/posix_filesystem.cc base/radix_select.cc base/room.cc base/sha256.cc base/size_text.cc base/speed.cc base/tensor_source.cc
  LINK OpenSSL::Crypto Threads::Threads)
