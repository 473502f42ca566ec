# What a build for users is hardened with (no cost that shows, docs/performance.md): checked copies,
# guarded stacks, addresses chosen at the start, and no table of addresses that can be written.
function(orr_harden target)
    set(fortify 2)
    if(CMAKE_C_COMPILER_ID STREQUAL "Clang" OR CMAKE_C_COMPILER_VERSION VERSION_GREATER_EQUAL 12)
        set(fortify 3)
    endif()
    get_target_property(type ${target} TYPE)
    if(NOT type MATCHES "SHARED_LIBRARY|MODULE_LIBRARY")
        target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-fPIE>)
    endif()
    if(type STREQUAL "EXECUTABLE")
        target_link_options(${target} PRIVATE $<$<CONFIG:Release>:-pie>)
    endif()
    target_compile_options(${target} PRIVATE
        "$<$<CONFIG:Release>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=${fortify};-fstack-protector-strong>")
    target_link_options(${target} PRIVATE "$<$<CONFIG:Release>:LINKER:-z,relro,-z,now,-z,noexecstack>")
endfunction()

# orr_flags(target): warnings, sanitizers or hardening, the include root, for everything we compile.
function(orr_flags target)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE ORRERY_VERSION="${PROJECT_VERSION}")
    target_compile_options(${target} PRIVATE -Wall -Wextra -Werror -Wshadow -Wvla -Wformat=2 -Wundef
        -Wpointer-arith -Wwrite-strings -Wimplicit-fallthrough
        $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition>
        -fno-math-errno)
    if(ORRERY_SANITIZE)
        target_compile_options(${target} PRIVATE -fsanitize=${ORRERY_SANITIZE} -fno-omit-frame-pointer
            -fno-sanitize-recover=all)
        target_link_options(${target} PRIVATE -fsanitize=${ORRERY_SANITIZE})
    else()
        orr_harden(${target})
    endif()
endfunction()

# orr_library(jobs/train SOURCES a.c b.c): orr_jobs_train, the one static library of a folder; what
# it links are its arrows (src/arrows.txt).  For a second library of the same sources:
# orr_library(nn_f64 FOLDER nn WITHOUT orrery_dnnl SOURCES ...).
function(orr_library name)
    cmake_parse_arguments(A "" "FOLDER" "SOURCES;WITHOUT" ${ARGN})
    if(A_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "orr_library(${name} ${A_UNPARSED_ARGUMENTS}): what a library links is said in src/arrows.txt")
    endif()
    if(NOT A_FOLDER)
        set(A_FOLDER ${name})
    endif()
    orr_target(target ${name})
    orr_arrows(links ${A_FOLDER})
    list(REMOVE_ITEM links "" ${A_WITHOUT})
    add_library(${target} STATIC ${A_SOURCES})
    orr_flags(${target})
    target_link_libraries(${target} PUBLIC ${links} Threads::Threads m)
endfunction()

# orr_test(core/options SOURCES extra.c LIBS orr_core RANKS 1 2 3 TIMEOUT 60 LABELS fast):
# builds tests/core/test_options.c and registers it once, or once for each number of ranks.  It is
# linked with its folder's library (orr_core here) and LIBS.
function(orr_test path)
    cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;LIBS;RANKS;LABELS;ENV" ${ARGN})
    string(REPLACE "/" "_" target "test_${path}")
    get_filename_component(dir ${path} DIRECTORY)
    get_filename_component(base ${path} NAME)
    add_executable(${target} ${PROJECT_SOURCE_DIR}/tests/${dir}/test_${base}.c ${A_SOURCES})
    orr_flags(${target})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_compile_definitions(${target} PRIVATE ORRERY_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
        ORRERY_BINARY_DIR="${PROJECT_BINARY_DIR}")
    orr_folder_of(folder ${path})
    if(folder AND NOT "orr_nn_f64" IN_LIST A_LIBS)
        orr_target(own ${folder})
    endif()
    target_link_libraries(${target} PRIVATE ${own} ${A_LIBS} cmocka)
    if(NOT A_TIMEOUT)
        set(A_TIMEOUT 120)
    endif()
    if(NOT A_RANKS)
        add_test(NAME ${path} COMMAND ${target})
        set(names ${path})
    elseif(ORRERY_MPI)
        foreach(n ${A_RANKS})
            add_test(NAME ${path}@${n} COMMAND ${ORRERY_MPIRUN} -n ${n} $<TARGET_FILE:${target}>)
            list(APPEND names ${path}@${n})
            set_tests_properties(${path}@${n} PROPERTIES PROCESSORS 2)
        endforeach()
    else()
        add_test(NAME ${path} COMMAND ${target})
        set(names ${path})
    endif()
    if("fast" IN_LIST A_LABELS AND NOT A_RANKS AND NOT path IN_LIST ORRERY_LONG_TESTS)
        list(APPEND A_LABELS quick)
    endif()
    set_tests_properties(${names} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS "${A_LABELS}"
        ENVIRONMENT "${ORRERY_TEST_ENV};${A_ENV}")
endfunction()

# orr_pytest(nn/golden tests/nn/golden.py [ARGS a b] [TIMEOUT s]): an oracle script; its exit code
# is the verdict, 77 means skipped (it says why).
function(orr_pytest name script)
    cmake_parse_arguments(A "" "TIMEOUT" "ARGS;LABELS;ENV" ${ARGN})
    if(NOT A_TIMEOUT)
        set(A_TIMEOUT 300)
    endif()
    add_test(NAME ${name} COMMAND ${ORRERY_PYTHON} ${PROJECT_SOURCE_DIR}/${script} ${A_ARGS})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS "oracle;${A_LABELS}" SKIP_RETURN_CODE 77
        ENVIRONMENT "${ORRERY_TEST_ENV};${A_ENV}" PROCESSORS 2)
endfunction()
