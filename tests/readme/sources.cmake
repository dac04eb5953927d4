# README's transcript, executed. It trains a few steps, so it needs dstore-train; without the model package it is skipped.
if(examples_python AND TARGET dstore AND TARGET dstore-train)
  add_test(NAME readme COMMAND ${examples_python} ${CMAKE_CURRENT_LIST_DIR}/readme_test.py --bin $<TARGET_FILE_DIR:dstore>)
  set_tests_properties(readme PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
endif()
