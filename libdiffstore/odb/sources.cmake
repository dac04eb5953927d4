dstore_layer(odb
  SOURCES odb/cache_database.cc odb/collect.cc odb/collect_plan.cc odb/condemned.cc odb/database_index.cc odb/layered_index.cc odb/lease.cc odb/leftovers.cc odb/link_file.cc odb/linked_files.cc
          odb/memory_index.cc odb/object_codec.cc odb/object_store.cc odb/pack_reader.cc odb/pack_salvage.cc
          odb/pack_session.cc odb/pack_writer.cc odb/ref_entry.cc odb/ref_listing.cc odb/ref_log.cc odb/ref_name.cc odb/reserve.cc odb/sqlite.cc odb/sqlite_vfs.cc
          odb/store_state.cc odb/store_verify.cc
  LINK dstore_object dstore_delta dstore_base SQLite::SQLite3 PkgConfig::LZ4 PkgConfig::XXHASH)
