# The examples in Python are tested with plain unittest: no package is needed.
if(Python_EXECUTABLE)
  set(examples_python ${Python_EXECUTABLE})
else()
  find_program(examples_python NAMES python3)
endif()
if(examples_python)
  add_test(NAME examples_tasks COMMAND ${examples_python} ${CMAKE_CURRENT_LIST_DIR}/make_tasks_test.py)
endif()
