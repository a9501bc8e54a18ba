# Compiler, warning and sanitizer settings that every target of ours shares.

# Headers lie beside their sources and are spelled "boostr/<folder>/<File>.h" in
# the tree as after installation: links give the tree that spelling.
set(BOOSTR_INCLUDE_DIR "${PROJECT_BINARY_DIR}/include")
set(BOOSTR_GENERATED_DIR "${PROJECT_BINARY_DIR}/generated")
file(MAKE_DIRECTORY "${BOOSTR_INCLUDE_DIR}/boostr" "${BOOSTR_GENERATED_DIR}/boostr")
foreach(folder dialect passes runtime)
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${folder}"
       "${BOOSTR_INCLUDE_DIR}/boostr/${folder}" SYMBOLIC)
endforeach()

if(BOOSTR_USE_CCACHE)
  find_program(BOOSTR_CCACHE ccache)
  if(BOOSTR_CCACHE)
    # The sloppiness is what ccache asks for with precompiled headers.
    set(launcher "${CMAKE_COMMAND}" -E env
        "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime"
        "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" "CCACHE_NOHASHDIR=1" "${BOOSTR_CCACHE}")
    set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  endif()
endif()

if(BOOSTR_USE_LLD)
  add_link_options(-fuse-ld=lld)
endif()

add_library(boostr_warnings INTERFACE)
target_compile_options(boostr_warnings INTERFACE -Wall -Wextra -Wno-unused-parameter)
if(BOOSTR_WERROR)
  target_compile_options(boostr_warnings INTERFACE -Werror)
endif()

if(BOOSTR_SANITIZE)
  # vptr needs RTTI, which MLIR code is compiled without.
  add_compile_options(-fsanitize=${BOOSTR_SANITIZE} -fno-sanitize=vptr
                      -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${BOOSTR_SANITIZE})
endif()
