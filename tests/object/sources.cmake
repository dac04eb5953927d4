dstore_test(object
  SOURCES object/damage_test.cc object/golden_test.cc object/hostile_test.cc object/samples.cc
  LINK dstore_object dstore_tensor dstore_base)
