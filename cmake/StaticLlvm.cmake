# BOOSTR_STATIC_LLVM: tools that need nothing but glibc. The exported targets of
# a shared LLVM name libLLVM.so also in their archives, so these come by path.

add_link_options(-static-libstdc++ -static-libgcc)

file(GLOB boostr_mlir_archives "${LLVM_LIBRARY_DIR}/libMLIR*.a")
list(FILTER boostr_mlir_archives EXCLUDE REGEX "libMLIR(CAPI|.*Test)")
execute_process(
  COMMAND "${LLVM_TOOLS_BINARY_DIR}/llvm-config" --link-static --libfiles
          x86 nvptx orcjit passes lto dtlto supportlsp
  OUTPUT_VARIABLE boostr_llvm_archives OUTPUT_STRIP_TRAILING_WHITESPACE
  COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(boostr_llvm_archives NATIVE_COMMAND "${boostr_llvm_archives}")
list(FILTER boostr_llvm_archives EXCLUDE REGEX "libPolly")
find_library(BOOSTR_ZLIB_ARCHIVE libz.a REQUIRED)
find_library(BOOSTR_ZSTD_ARCHIVE libzstd.a REQUIRED)
mark_as_advanced(BOOSTR_ZLIB_ARCHIVE BOOSTR_ZSTD_ARCHIVE)

if(NOT BOOSTR_USE_LLD)
  # It takes archives in any order, with references back and forth.
  message(FATAL_ERROR "BOOSTR_STATIC_LLVM expected BOOSTR_USE_LLD")
endif()

# Sections without a use go, which leaves most of LLVM behind.
add_library(boostr_static_llvm INTERFACE)
target_link_libraries(boostr_static_llvm INTERFACE
  ${boostr_mlir_archives}
  "${LLVM_LIBRARY_DIR}/liblldELF.a" "${LLVM_LIBRARY_DIR}/liblldCommon.a"
  ${boostr_llvm_archives}
  "${BOOSTR_ZLIB_ARCHIVE}" "${BOOSTR_ZSTD_ARCHIVE}" ${CMAKE_DL_LIBS} m)
target_link_options(boostr_static_llvm INTERFACE LINKER:--gc-sections)

# lld initializes every target that LLVM was built with; the machine code of most
# is not wanted here, so their functions do nothing.
set(boostr_absent_targets "")
foreach(target ${LLVM_TARGETS_TO_BUILD})
  if(NOT target MATCHES "^(X86|NVPTX)$")
    foreach(part TargetInfo Target TargetMC AsmPrinter AsmParser)
      string(APPEND boostr_absent_targets "void LLVMInitialize${target}${part}(void) {}\n")
    endforeach()
  endif()
endforeach()
configure_file("${PROJECT_SOURCE_DIR}/cmake/AbsentParts.cpp.in"
  "${PROJECT_BINARY_DIR}/AbsentParts.cpp" @ONLY)
add_library(boostr_absent_parts STATIC "${PROJECT_BINARY_DIR}/AbsentParts.cpp")
target_include_directories(boostr_absent_parts SYSTEM PRIVATE ${LLVM_INCLUDE_DIRS})
target_link_libraries(boostr_static_llvm INTERFACE boostr_absent_parts)

# boostr_export_libgcc(TARGET)
# Lets compiled code find in TARGET what it takes from libgcc_s elsewhere: where
# a CPU cannot convert f16. The archive's are hidden, so copies are shown.
function(boostr_export_libgcc target)
  execute_process(COMMAND "${CMAKE_C_COMPILER}" -print-libgcc-file-name
    OUTPUT_VARIABLE archive OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
  foreach(name extendhfsf2 extendhfdf2 truncsfhf2 truncdfhf2)
    set(object "${CMAKE_CURRENT_BINARY_DIR}/${name}.o")
    add_custom_command(OUTPUT "${object}"
      COMMAND "${LLVM_TOOLS_BINARY_DIR}/llvm-ar" x "${archive}" ${name}.o
      COMMAND "${LLVM_TOOLS_BINARY_DIR}/llvm-objcopy"
              --set-symbol-visibility=__${name}=default "${object}"
      DEPENDS "${archive}" WORKING_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}" VERBATIM)
    set_source_files_properties("${object}" PROPERTIES
      EXTERNAL_OBJECT ON GENERATED ON)
    target_sources(${target} PRIVATE "${object}")
  endforeach()
endfunction()
