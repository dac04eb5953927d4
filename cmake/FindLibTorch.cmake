# Finds LibTorch without torch's own CMake package, so a CUDA wheel needs no CUDA toolkit.
#   DSTORE_LIBTORCH (cache or environment)   an unpacked libtorch folder: include/, lib/
#   DSTORE_PYTHON or Python_EXECUTABLE       a Python that has the torch wheel; default: .venv/bin/python of the source tree
# Python is only asked where the package lies; torch is not imported.
# Gives LibTorch_FOUND, LibTorch_VERSION, LibTorch_CUDA (the CUDA version it was built for, or empty), LibTorch_LIBRARY_DIRS
# and the imported target LibTorch::LibTorch.

set(_libtorch_root "${DSTORE_LIBTORCH}")
if(NOT _libtorch_root AND DEFINED ENV{DSTORE_LIBTORCH})
  set(_libtorch_root "$ENV{DSTORE_LIBTORCH}")
endif()
set(_libtorch_site "")
set(_libtorch_reason "")

if(NOT _libtorch_root)
  set(_libtorch_python "${DSTORE_PYTHON}")
  foreach(_candidate "$ENV{DSTORE_PYTHON}" "${Python_EXECUTABLE}" "${CMAKE_SOURCE_DIR}/.venv/bin/python")
    if(NOT _libtorch_python AND _candidate AND EXISTS "${_candidate}")
      set(_libtorch_python "${_candidate}")
    endif()
  endforeach()
  if(_libtorch_python)
    execute_process(
      COMMAND "${_libtorch_python}" -c
        "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
      OUTPUT_VARIABLE _libtorch_root OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(_libtorch_root)
      get_filename_component(_libtorch_site "${_libtorch_root}" DIRECTORY)
    else()
      set(_libtorch_reason "${_libtorch_python} has no torch package")
    endif()
  else()
    set(_libtorch_reason "no DSTORE_LIBTORCH, and no Python with the torch wheel (DSTORE_PYTHON)")
  endif()
endif()

if(_libtorch_root)
  find_path(LibTorch_INCLUDE_DIR ATen/ATen.h PATHS "${_libtorch_root}/include" NO_DEFAULT_PATH NO_CACHE)
  foreach(_library c10 torch_cpu torch c10_cuda torch_cuda)
    find_library(LibTorch_${_library} ${_library} PATHS "${_libtorch_root}/lib" NO_DEFAULT_PATH NO_CACHE)
  endforeach()
  # The version: version.py of a wheel, build-version of an unpacked libtorch.
  if(EXISTS "${_libtorch_root}/version.py")
    file(READ "${_libtorch_root}/version.py" _libtorch_text)
    if(_libtorch_text MATCHES "__version__ = '([^']+)'")
      set(LibTorch_VERSION "${CMAKE_MATCH_1}")
    endif()
    if(_libtorch_text MATCHES "cuda[^\n=]*= '([^']+)'")
      set(LibTorch_CUDA "${CMAKE_MATCH_1}")
    endif()
  elseif(EXISTS "${_libtorch_root}/build-version")
    file(READ "${_libtorch_root}/build-version" LibTorch_VERSION)
    string(STRIP "${LibTorch_VERSION}" LibTorch_VERSION)
  endif()
  if(LibTorch_torch_cuda AND NOT LibTorch_CUDA)
    set(LibTorch_CUDA "yes")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_c10 LibTorch_torch_cpu LibTorch_torch LibTorch_INCLUDE_DIR
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "${_libtorch_reason}")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  get_filename_component(_libtorch_lib "${LibTorch_c10}" DIRECTORY)
  # The C++ ABI of std::string that the libraries were built with: c10::Error's constructor takes one.
  file(STRINGS "${LibTorch_c10}" _libtorch_abi REGEX "_ZN3c105ErrorC.*__cxx11" LIMIT_COUNT 1)
  if(_libtorch_abi)
    set(_libtorch_abi 1)
  else()
    set(_libtorch_abi 0)
  endif()

  # torch_cuda registers its kernels when it is loaded and nothing refers to it: never let the linker drop it.
  set(_libtorch_link "${LibTorch_torch}" "${LibTorch_torch_cpu}" "${LibTorch_c10}")
  set(LibTorch_LIBRARY_DIRS "${_libtorch_lib}")
  if(LibTorch_torch_cuda)
    list(APPEND _libtorch_link "-Wl,--push-state,--no-as-needed" "${LibTorch_torch_cuda}" "${LibTorch_c10_cuda}" "-Wl,--pop-state")
    # What torch_cuda itself needs is the loader's business: it may lie in places that only the running machine knows.
    list(APPEND _libtorch_link "-Wl,--allow-shlib-undefined")
    # A wheel's CUDA libraries lie in wheels of their own: site-packages/nvidia/*/lib.
    if(NOT _libtorch_site AND EXISTS "${_libtorch_root}/version.py")
      get_filename_component(_libtorch_site "${_libtorch_root}" DIRECTORY)
    endif()
    if(_libtorch_site)
      file(GLOB _libtorch_nvidia "${_libtorch_site}/nvidia/*/lib" "${_libtorch_site}/cusparselt/lib")
      list(APPEND LibTorch_LIBRARY_DIRS ${_libtorch_nvidia})
    endif()
  endif()
  set(_libtorch_rpath_link "")
  foreach(_dir ${LibTorch_LIBRARY_DIRS})
    list(APPEND _libtorch_rpath_link "-Wl,-rpath-link,${_dir}" "-Wl,-rpath,${_dir}")
  endforeach()

  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  set_target_properties(LibTorch::LibTorch PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIR};${LibTorch_INCLUDE_DIR}/torch/csrc/api/include"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIR};${LibTorch_INCLUDE_DIR}/torch/csrc/api/include"
    INTERFACE_COMPILE_DEFINITIONS "_GLIBCXX_USE_CXX11_ABI=${_libtorch_abi}"
    # DT_RPATH, not RUNPATH: libtorch's own dependencies (libgomp, the nvidia wheels) are looked up through it too.
    INTERFACE_LINK_OPTIONS "-Wl,--disable-new-dtags;${_libtorch_rpath_link}"
    INTERFACE_LINK_LIBRARIES "${_libtorch_link}")
  message(STATUS "LibTorch: ${LibTorch_VERSION} in ${_libtorch_lib}, CUDA: ${LibTorch_CUDA}")
endif()
