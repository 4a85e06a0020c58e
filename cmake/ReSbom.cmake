# What is linked into the program: a table for `re --version --verbose` and an SPDX document (https://spdx.dev, 2.3).
#
# re_library(NAME VERSION LICENCE FILE): FILE is the library's file, which says whether it is linked in or shared, or
# "headers".
function(re_library name version licence file)
  list(GET file 0 file)
  set(linkage shared)
  if(file STREQUAL "headers")
    set(linkage headers)
  elseif(file MATCHES "\\.a$")
    set(linkage static)
  endif()
  if("${version}" STREQUAL "")
    message(FATAL_ERROR "the version of ${name} is not known")
  endif()
  set_property(GLOBAL APPEND PROPERTY RE_LIBRARIES "${name}|${version}|${licence}|${linkage}")
endfunction()

function(re_write_sbom)
  get_property(libraries GLOBAL PROPERTY RE_LIBRARIES)
  execute_process(COMMAND git -C "${CMAKE_SOURCE_DIR}" describe --always --dirty --tags OUTPUT_VARIABLE commit ERROR_QUIET
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  set(rows "")
  set(packages "")
  set(relations "")
  foreach(library IN LISTS libraries)
    string(REPLACE "|" ";" fields "${library}")
    list(GET fields 0 name)
    list(GET fields 1 version)
    list(GET fields 2 licence)
    list(GET fields 3 linkage)
    string(MAKE_C_IDENTIFIER "${name}" id)
    string(REPLACE "_" "-" id "${id}")
    string(APPEND rows "    {\"${name}\", \"${version}\", \"${licence}\", \"${linkage}\"},\n")
    string(APPEND packages ",\n    {\"SPDXID\": \"SPDXRef-${id}\", \"name\": \"${name}\", \"versionInfo\": \"${version}\", "
      "\"downloadLocation\": \"NOASSERTION\", \"filesAnalyzed\": false,\n     \"licenseConcluded\": \"${licence}\", "
      "\"licenseDeclared\": \"${licence}\", \"copyrightText\": \"NOASSERTION\"}")
    set(kind STATIC_LINK)
    if(linkage STREQUAL "shared")
      set(kind DYNAMIC_LINK)
    endif()
    string(APPEND relations ",\n    {\"spdxElementId\": \"SPDXRef-re\", \"relationshipType\": \"${kind}\", "
      "\"relatedSpdxElement\": \"SPDXRef-${id}\"}")
  endforeach()
  set(RE_LIBRARY_ROWS "${rows}")
  set(RE_COMMIT "${commit}")
  set(RE_SPDX_PACKAGES "${packages}")
  set(RE_SPDX_RELATIONS "${relations}")
  string(TIMESTAMP RE_SPDX_TIME UTC)  # SOURCE_DATE_EPOCH where it is set
  string(SHA256 RE_SPDX_DIGEST "${libraries}${commit}")
  configure_file("${CMAKE_SOURCE_DIR}/cmake/libraries.cpp.in" "${CMAKE_BINARY_DIR}/generated/cli/libraries.cpp" @ONLY)
  configure_file("${CMAKE_SOURCE_DIR}/cmake/re.spdx.json.in" "${CMAKE_BINARY_DIR}/generated/re.spdx.json" @ONLY)
endfunction()
