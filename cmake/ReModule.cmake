# re_module(NAME DEPS module... LIBS dep_target...)
# One static library re_NAME from src/NAME/*.cpp and one test binary NAME_test from tests/unit/NAME/*_test.cpp.
# The test binary links the module and its DEPS only, so an upward call does not link.
function(re_module name)
  cmake_parse_arguments(arg "" "" "DEPS;LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${name}/*.cpp")
  if(NOT sources)  # a module begins with its first real code
    add_library(re_${name} INTERFACE)
    return()
  endif()
  add_library(re_${name} STATIC ${sources} ${RE_GENERATED_${name}})
  list(TRANSFORM arg_DEPS PREPEND re_ OUTPUT_VARIABLE deps)
  target_link_libraries(re_${name} PUBLIC re_options ${deps} PRIVATE re_warnings ${arg_LIBS})
  set_property(GLOBAL APPEND PROPERTY RE_MODULES ${name})
endfunction()

# re_embed(MODULE NAME file... [COMPACT name...]), before re_module(MODULE): the files become string_view constants in
# generated/<MODULE>/NAME.{hpp,cpp}. COMPACT: see Embed.cmake.
function(re_embed module name)
  cmake_parse_arguments(arg "" "" "COMPACT" ${ARGN})
  set(files ${arg_UNPARSED_ARGUMENTS})
  set(out "${CMAKE_BINARY_DIR}/generated/${module}/${name}")
  add_custom_command(
    OUTPUT "${out}.cpp" "${out}.hpp"
    COMMAND ${CMAKE_COMMAND} -D "OUT=${out}" -D "MODULE=${module}" -D "NAME=${name}" -D "FILES=${files}" -D "COMPACT=${arg_COMPACT}"
            -D "FAILPOINTS=${RE_FAILPOINTS}"
            -P "${CMAKE_SOURCE_DIR}/cmake/Embed.cmake"
    DEPENDS ${files} "${CMAKE_SOURCE_DIR}/cmake/Embed.cmake" VERBATIM)
  add_custom_target(re_embed_${module}_${name} DEPENDS "${out}.cpp" "${out}.hpp")  # for those in other folders
  set(RE_GENERATED_${module} ${RE_GENERATED_${module}} "${out}.cpp" "${out}.hpp" PARENT_SCOPE)
endfunction()
