# Copies PAGES to OUTPUT and puts files of REFERENCE in place of lines
# `[include "name.md"]`. Run by the target `boostr-doc`.

foreach(page IN LISTS PAGES)
  get_filename_component(name "${page}" NAME)
  file(READ "${page}" text)
  string(REGEX MATCHALL "\\[include \"[^\"]+\"\\]" includes "${text}")
  foreach(include IN LISTS includes)
    string(REGEX REPLACE "\\[include \"(.+)\"\\]" "\\1" file "${include}")
    if(NOT EXISTS "${REFERENCE}/${file}")
      message(FATAL_ERROR "${page} includes '${file}', which is not generated")
    endif()
    file(READ "${REFERENCE}/${file}" generated)
    string(REPLACE "${include}" "${generated}" text "${text}")
  endforeach()
  file(WRITE "${OUTPUT}/${name}" "${text}")
endforeach()
