# One helper for each kind of target, so that every leaf file is a list of sources.

# Settings of all targets that include MLIR headers.
add_library(boostr_mlir_options INTERFACE)
target_compile_options(boostr_mlir_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti> $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>)
target_include_directories(boostr_mlir_options INTERFACE
  "${BOOSTR_INCLUDE_DIR}" "${BOOSTR_GENERATED_DIR}")
target_include_directories(boostr_mlir_options SYSTEM INTERFACE
  ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS} ${LLD_INCLUDE_DIRS})
separate_arguments(boostr_llvm_definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
target_compile_definitions(boostr_mlir_options INTERFACE ${boostr_llvm_definitions})

# LLVM, MLIR and lld.
if(BOOSTR_STATIC_LLVM)
  set(BOOSTR_LLVM_LIBRARIES boostr_static_llvm)
  set(BOOSTR_LLD_LIBRARIES)
  set(BOOSTR_LLVM_RPATH "")
else()
  set(BOOSTR_LLVM_LIBRARIES MLIR LLVM)
  set(BOOSTR_LLD_LIBRARIES lldELF lldCommon)
  set(BOOSTR_LLVM_RPATH ";${LLVM_LIBRARY_DIR}")
endif()

# boostr_upstream_archives(VARIABLE names...)
# Archives of MLIR that libMLIR lacks.
function(boostr_upstream_archives variable)
  set(archives)
  if(NOT BOOSTR_STATIC_LLVM)
    foreach(name ${ARGN})
      list(APPEND archives "${LLVM_LIBRARY_DIR}/lib${name}.a")
    endforeach()
  endif()
  set(${variable} ${archives} PARENT_SCOPE)
endfunction()

# The headers that nearly every file needs, compiled once.
if(BOOSTR_USE_PCH)
  add_library(boostr_pch OBJECT "${PROJECT_SOURCE_DIR}/cmake/Precompiled.cpp")
  target_link_libraries(boostr_pch PRIVATE boostr_mlir_options)
  target_precompile_headers(boostr_pch PRIVATE
    <mlir/Dialect/Arith/IR/Arith.h> <mlir/Dialect/Func/IR/FuncOps.h>
    <mlir/Dialect/Linalg/IR/Linalg.h> <mlir/Dialect/MemRef/IR/MemRef.h>
    <mlir/Dialect/SCF/IR/SCF.h> <mlir/Dialect/Tensor/IR/Tensor.h>
    <mlir/Dialect/Vector/IR/VectorOps.h> <mlir/IR/PatternMatch.h> <mlir/Pass/Pass.h>)
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    target_compile_options(boostr_pch PRIVATE -Xclang -fno-pch-timestamp)
  endif()
endif()

function(boostr_target_settings name)
  target_link_libraries(${name} PRIVATE
    $<BUILD_INTERFACE:boostr_mlir_options> $<BUILD_INTERFACE:boostr_warnings>)
  if(BOOSTR_USE_PCH)
    target_precompile_headers(${name} REUSE_FROM boostr_pch)
    if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
      target_compile_options(${name} PRIVATE -Xclang -fno-pch-timestamp)
    endif()
  endif()
endfunction()

# add_boostr_library(NAME [INTERNAL] sources... DEPENDS targets... LINK libraries...)
# A static library of MLIR code. It links LLVM and MLIR for those who link it.
# INTERNAL ones serve this tree alone and are not installed.
function(add_boostr_library name)
  cmake_parse_arguments(ARG "INTERNAL" "" "DEPENDS;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  boostr_target_settings(${name})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} ${BOOSTR_LLVM_LIBRARIES})
  target_include_directories(${name} INTERFACE
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  if(NOT ARG_INTERNAL)
    set_property(GLOBAL APPEND PROPERTY BOOSTR_LIBRARIES ${name})
  endif()
endfunction()

# add_boostr_program(NAME sources... LINK libraries...)
function(add_boostr_program name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  # As the precompiled header; CMake would say -fPIE.
  target_compile_options(${name} PRIVATE -fPIC)
  if(BOOSTR_SANITIZE MATCHES address)
    target_sources(${name} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/SanitizerOptions.cpp")
  endif()
  boostr_target_settings(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} ${BOOSTR_LLVM_LIBRARIES})
  set_target_properties(${name} PROPERTIES
    INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}${BOOSTR_LLVM_RPATH}")
  set_property(GLOBAL APPEND PROPERTY BOOSTR_TOOLS ${name})
endfunction()

# add_boostr_tool(NAME function sources... LINK libraries...)
# A program that begins in the function of tools/common/Tools.h; a part of the one
# program where LLVM is static.
function(add_boostr_tool name main)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  if(BOOSTR_STATIC_LLVM)
    list(TRANSFORM ARG_UNPARSED_ARGUMENTS PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
    set_property(GLOBAL APPEND PROPERTY BOOSTR_TOOL_SOURCES ${ARG_UNPARSED_ARGUMENTS})
    set_property(GLOBAL APPEND PROPERTY BOOSTR_TOOL_LINK ${ARG_LINK})
    set_property(GLOBAL APPEND PROPERTY BOOSTR_TOOL_NAMES ${name})
  else()
    add_boostr_program(${name} ${ARG_UNPARSED_ARGUMENTS}
      "${PROJECT_SOURCE_DIR}/tools/common/Main.cpp" LINK ${ARG_LINK})
    target_compile_definitions(${name} PRIVATE BOOSTR_TOOL_MAIN=${main})
  endif()
endfunction()

# boostr_tablegen(TARGET FOLDER FILE.td out1 -gen-flag1 out2 -gen-flag2 ...)
# Generates boostr/<FOLDER>/<out> in the build tree.
function(boostr_tablegen target folder file)
  file(MAKE_DIRECTORY "${BOOSTR_GENERATED_DIR}/boostr/${folder}")
  set(outputs)
  set(arguments ${ARGN})
  while(arguments)
    list(POP_FRONT arguments out)
    list(POP_FRONT arguments flag)
    separate_arguments(flags NATIVE_COMMAND "${flag}")
    set(output "${BOOSTR_GENERATED_DIR}/boostr/${folder}/${out}")
    add_custom_command(OUTPUT "${output}"
      COMMAND mlir-tblgen ${flags} -I "${BOOSTR_INCLUDE_DIR}"
              -I "${MLIR_INCLUDE_DIRS}"
              "${BOOSTR_INCLUDE_DIR}/boostr/${folder}/${file}"
              --write-if-changed -o "${output}" -d "${output}.d"
      DEPFILE "${output}.d"
      DEPENDS "${PROJECT_SOURCE_DIR}/${folder}/${file}"
      COMMENT "Generating boostr/${folder}/${out}" VERBATIM)
    list(APPEND outputs "${output}")
  endwhile()
  add_custom_target(${target} DEPENDS ${outputs})
endfunction()
