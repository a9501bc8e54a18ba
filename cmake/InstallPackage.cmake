# The tree that scripts/package.sh packs: one program under the names of all
# tools, the runtime, its headers and documents. Python has a wheel (scripts/wheel.sh).

install(TARGETS boostr RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
get_property(boostr_tool_names GLOBAL PROPERTY BOOSTR_TOOL_NAMES)
foreach(name ${boostr_tool_names})
  file(CREATE_LINK boostr "${PROJECT_BINARY_DIR}/bin/${name}" SYMBOLIC)
  install(FILES "${PROJECT_BINARY_DIR}/bin/${name}"
    DESTINATION "${CMAKE_INSTALL_BINDIR}")
endforeach()

if(BOOSTR_PTHREADPOOL_LIBRARY MATCHES "\\.so$")
  # Under the name that the loader looks for.
  file(REAL_PATH "${BOOSTR_PTHREADPOOL_LIBRARY}" pthreadpool)
  install(PROGRAMS "${pthreadpool}" DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    RENAME libpthreadpool.so.0)
endif()
install(DIRECTORY "${BOOSTR_DLPACK_INCLUDE_DIR}/dlpack"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")

install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION .)
# Drivers of the GPU benchmark, for machines that have no checkout.
install(DIRECTORY "${PROJECT_SOURCE_DIR}/benchmarks/gpu" DESTINATION benchmarks
  FILES_MATCHING PATTERN "*.py" PATTERN "*.json" PATTERN "README.md"
  PATTERN "__pycache__" EXCLUDE)
# As the target boostr-doc composes them.
install(DIRECTORY "${PROJECT_BINARY_DIR}/docs/" DESTINATION docs
  FILES_MATCHING PATTERN "*.md" PATTERN "CMakeFiles" EXCLUDE
  PATTERN "reference" EXCLUDE)

# What is linked in or packed wants its notices along.
foreach(package llvm-22-dev libmlir-22-dev liblld-22-dev libpthreadpool0 libdlpack-dev
        zlib1g libzstd1 libstdc++6)
  if(EXISTS "/usr/share/doc/${package}/copyright")
    install(FILES "/usr/share/doc/${package}/copyright" DESTINATION licenses
      RENAME "${package}.txt")
  else()
    message(WARNING "no notice found of ${package}, which the package contains")
  endif()
endforeach()
