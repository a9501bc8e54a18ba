# A relocatable tree: headers, libraries, tools, plugin, and a CMake package.
include(CMakePackageConfigHelpers)

set(BOOSTR_CMAKE_INSTALL_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/BoostrMLIR")
get_property(boostr_libraries GLOBAL PROPERTY BOOSTR_LIBRARIES)
get_property(boostr_tools GLOBAL PROPERTY BOOSTR_TOOLS)

install(TARGETS ${boostr_libraries} EXPORT BoostrMLIRTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(TARGETS ${boostr_tools} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(TARGETS BoostrPlugin LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")

# Headers and descriptions of dialect and passes; the runtime installs its own.
foreach(folder dialect passes)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/${folder}/"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/boostr/${folder}"
    FILES_MATCHING PATTERN "*.h" PATTERN "*.td")
  install(DIRECTORY "${BOOSTR_GENERATED_DIR}/boostr/${folder}/"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/boostr/${folder}"
    FILES_MATCHING PATTERN "*.h.inc")
endforeach()
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE"
  DESTINATION "${CMAKE_INSTALL_DOCDIR}")

install(EXPORT BoostrMLIRTargets NAMESPACE BoostrMLIR::
  DESTINATION "${BOOSTR_CMAKE_INSTALL_DIR}")
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/BoostrMLIRConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/BoostrMLIRConfig.cmake"
  INSTALL_DESTINATION "${BOOSTR_CMAKE_INSTALL_DIR}")
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/BoostrMLIRConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/BoostrMLIRConfig.cmake"
  "${PROJECT_BINARY_DIR}/BoostrMLIRConfigVersion.cmake"
  DESTINATION "${BOOSTR_CMAKE_INSTALL_DIR}")
