# Fuzz targets: one file each, test_input() over any bytes. They are replayed over tests/fuzz/corpus by ctest, and are libFuzzer
# programs where the compiler is clang with DSTORE_SANITIZE=fuzzer-no-link,... (tests/fuzz/run.sh).
set(fuzz_dir ${CMAKE_CURRENT_LIST_DIR})
set(fuzz_targets adapter_config allowed_signers byte_code chunk_codec commit evaluation ignore_file json kernels object_tables pack record ref_entry ref_name
    revision safetensors segment segment_block segment_round_trip shard_index ssh_key sshsig)

if(DSTORE_SANITIZE MATCHES "fuzzer-no-link")
  add_library(fuzz_main INTERFACE)
  target_sources(fuzz_main INTERFACE ${fuzz_dir}/entry.cc)
  target_link_options(fuzz_main INTERFACE -fsanitize=fuzzer)
else()
  add_library(fuzz_main STATIC ${fuzz_dir}/replay.cc)
  target_link_libraries(fuzz_main PRIVATE dstore_flags)
  target_include_directories(fuzz_main PRIVATE ${PROJECT_SOURCE_DIR}/libdiffstore ${PROJECT_SOURCE_DIR}/libdiffstore/include)
endif()

foreach(target ${fuzz_targets})
  add_executable(fuzz_${target} ${fuzz_dir}/${target}.cc)
  target_include_directories(fuzz_${target} PRIVATE ${PROJECT_SOURCE_DIR}/libdiffstore)
  target_link_libraries(fuzz_${target} PRIVATE dstore_flags fuzz_main dstore::diffstore)
  if(NOT DSTORE_SANITIZE MATCHES "fuzzer-no-link")
    set(places 512)
    if(target STREQUAL "segment_round_trip")
      set(places 8)  # any input is a tensor, and encoding one is not cheap
    endif()
    add_test(NAME fuzz_${target} COMMAND fuzz_${target} ${places} ${fuzz_dir}/corpus/${target})
    # No small input may ask for much memory at once.
    set_tests_properties(fuzz_${target} PROPERTIES TIMEOUT 900 ENVIRONMENT "ASAN_OPTIONS=max_allocation_size_mb=64")
  endif()
endforeach()

# Writes the seeds of tests/fuzz/corpus (tests/fuzz/corpus.sh).
add_executable(fuzz_make_corpus ${fuzz_dir}/make_corpus.cc ${fuzz_dir}/segment_seeds.cc object/samples.cc delta/tensor_pairs.cc)
target_include_directories(fuzz_make_corpus PRIVATE ${PROJECT_SOURCE_DIR}/libdiffstore ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/delta)
target_link_libraries(fuzz_make_corpus PRIVATE dstore_flags dstore::diffstore PkgConfig::XXHASH)
