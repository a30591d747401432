"""How the generators of other languages form identifiers, which of these cannot be used, and which they rename by themselves.

Each language has: identifiers of its own that a generated one would collide with, as `REFUSED` where the generator takes no care of it
(the stub would not compile, or a member could not be reached), and nothing where it escapes a keyword by a rule of its own: then only the
identifiers that result have to differ from one another. Sources: the name tables of protoc's generators, protoc-gen-go, grpc's plugins,
protobuf-es and SwiftProtobuf, and the languages' own keywords.
"""

import keyword
from collections.abc import Iterator

from google.protobuf import descriptor_pb2 as pb

Field = pb.FieldDescriptorProto


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PYTHON_KEYWORDS = frozenset(keyword.kwlist)
"""Nothing is escaped: a field named `from` needs getattr, a message named `None` cannot be imported."""

GO_METHODS = words(
    "Reset String ProtoMessage ProtoReflect Descriptor Marshal Unmarshal ExtensionRangeArray ExtensionMap"
)
"""Methods of a message. protoc-gen-go escapes all but ProtoReflect with an underscore, which nobody expects."""

JAVA_LANG = words("""
    Appendable AutoCloseable Boolean Byte Character Class ClassLoader Cloneable Comparable Compiler Deprecated Double Enum Error
    Exception Float FunctionalInterface Integer Iterable Iterator Long Math Module Number Object Override Package Process
    ProcessBuilder Readable Record Runnable Runtime SafeVarargs Short StackWalker StrictMath String StringBuffer StringBuilder
    SuppressWarnings System Thread ThreadGroup ThreadLocal Throwable Void
""")
"""What every Java file sees without an import, and a class of the same package would hide."""

JAVA_ACCESSORS = words("""
    getClass getAllFields getCachedSize getDefaultInstance getDefaultInstanceForType getDescriptor getDescriptorForType
    getInitializationErrorString getParserForType getSerializedSize getUnknownFields
""")
"""Accessors of every message that take no argument; those that take one are told apart by it."""

JAVA_ENUM = words("UNRECOGNIZED VALUES")
"""A constant that every proto3 enum gets."""

JAVA_KEYWORDS = words("""
    abstract assert boolean break byte case catch char class const continue default do double else enum extends false final finally
    float for goto if implements import instanceof int interface long native new null package private protected public return
    short static strictfp super switch synchronized this throw throws transient true try void volatile while
""")
"""Names of methods of stubs; grpc-java escapes them with an underscore."""

CSHARP_MEMBERS = words("""
    CalculateSize Clone Descriptor Equals Finalize GetHashCode GetType InternalMergeFrom InternalWriteTo MemberwiseClone MergeFrom
    OnConstruction Parser ReferenceEquals ToByteArray ToString Types WriteTo
""")
"""Members of every message. The generator escapes some with an underscore."""

RUBY_METHODS = words("""
    __id__ __send__ class clone define_singleton_method descriptor display dup enum_for eql equal extend freeze frozen hash
    initialize inspect instance_eval instance_exec instance_of instance_variable_defined instance_variable_get instance_variable_set
    instance_variables is_a itself kind_of method method_missing methods nil object_id private_methods protected_methods
    public_method public_methods public_send remove_instance_variable respond_to respond_to_missing send singleton_class
    singleton_method singleton_methods tap then to_enum to_h to_json to_proto to_s yield_self
""")
"""Methods of every object or message. Fields are reached through method_missing, so that a field of such a name is not reached."""

RUBY_CONSTANTS = words(
    "Array Basic BasicObject Class Comparable Enumerable File Hash Integer Kernel Module Object Proc Range String Struct"
)

PHP_CLASSES = words("""
    abstract and array as bool break callable case catch class clone const continue declare default die do echo else elseif empty
    enddeclare endfor endforeach endif endswitch endwhile enum eval exit extends false final finally float fn for foreach function global
    goto if implements include include_once instanceof insteadof int interface isset iterable list match mixed namespace never new
    null object or parent print private protected public readonly require require_once return self static string switch throw
    trait true try unset use var void while xor yield
""")
"""Names that no class may bear, in any case. The generator puts PB before most of them, which nobody expects."""

SWIFT_FIELDS = words("""
    debugDescription description dynamicType hashValue init isInitialized protoMessageName self serializedData textFormatString
    unknownFields
""")
"""Members of every message, and what Swift does not let backticks escape; SwiftProtobuf renames most to `…_p`."""

SWIFT_CASES = words("allCases init none rawValue self some UNRECOGNIZED")
"""Members of every enum, and the cases of an optional one, which `.none` would be taken for."""

TYPESCRIPT_NAMES = words("""
    Array BigInt Boolean Date Error Function Map Math Number Object Promise Proxy Record RegExp Set String Symbol Uint8Array any
    arguments as async await bigint boolean break case catch class const constructor continue debugger declare default delete do else
    enum eval export extends false finally for from function get if implements import in instanceof interface is keyof let module
    namespace never new null number object of package private protected public readonly require return set static string super
    switch symbol this throw true try type typeof undefined unique unknown var void while with yield
""")
"""Names of types; keywords and what everybody uses. protobuf-es escapes keywords with a dollar sign."""

TYPESCRIPT_PROPERTIES = words("__proto__ constructor hasOwnProperty toJSON toString valueOf prototype")
"""Properties that every object has. protobuf-es escapes some of them with a dollar sign."""


def pascal(name: str) -> str:
    """`aB_c` → `ABC`, as Java, C#, PHP and Swift form it: a letter after an underscore or a digit becomes a capital."""
    out, up = [], True
    for character in name:
        if character == "_":
            up = True
            continue
        out.append(character.upper() if up else character)
        up = character.isdigit()
    return "".join(out)


def camel(name: str) -> str:
    made = pascal(name)
    return made[:1].lower() + made[1:]


def go(name: str) -> str:
    """protoc-gen-go's: an underscore goes only before a small letter."""
    out = []
    for index, character in enumerate(name):
        if character == "_" and (index == 0 or name[index + 1 : index + 2].islower()):
            if index == 0:
                out.append("X")
            continue
        before = name[index - 1] if index else "_"
        out.append(character.upper() if before == "_" or before.isdigit() else character)
    return "".join(out)


def is_map(message: pb.DescriptorProto, field: Field) -> bool:
    entry = field.type_name.rpartition(".")[2]
    return any(nested.name == entry and nested.options.map_entry for nested in message.nested_type)


def has_presence(field: Field) -> bool:
    return field.label != Field.LABEL_REPEATED and (field.type == Field.TYPE_MESSAGE or field.HasField("oneof_index"))


def oneofs(message: pb.DescriptorProto) -> Iterator[str]:
    """Those that were written, without the ones that `optional` is made of."""
    synthetic = {field.oneof_index for field in message.field if field.proto3_optional}
    return (oneof.name for index, oneof in enumerate(message.oneof_decl) if index not in synthetic)


def go_members(message: pb.DescriptorProto) -> Iterator[str]:
    for name in (*(field.name for field in message.field), *oneofs(message)):
        yield go(name)
        yield f"Get{go(name)}"


def java_members(message: pb.DescriptorProto) -> Iterator[str]:
    """Readers; the builder has a writer for each under the same rule."""
    for field in message.field:
        name = pascal(field.name)
        repeated = field.label == Field.LABEL_REPEATED
        if is_map(message, field):
            yield from (
                f"get{name}Count",
                f"contains{name}",
                f"get{name}",
                f"get{name}Map",
                f"get{name}OrDefault",
                f"get{name}OrThrow",
            )
            continue
        yield f"get{name}"
        if has_presence(field):
            yield f"has{name}"
        if repeated:
            yield from (f"get{name}Count", f"get{name}List")
        if field.type == Field.TYPE_MESSAGE:
            yield from (f"get{name}OrBuilder", f"get{name}Builder")
            if repeated:
                yield from (f"get{name}OrBuilderList", f"get{name}BuilderList")
        elif field.type == Field.TYPE_STRING:
            yield f"get{name}Bytes"
        elif field.type == Field.TYPE_ENUM:
            yield from (f"get{name}Value", *([f"get{name}ValueList"] if repeated else []))
    yield from (f"get{pascal(name)}Case" for name in oneofs(message))


def csharp_members(message: pb.DescriptorProto) -> Iterator[str]:
    for field in message.field:
        name = pascal(field.name)
        # The generator escapes a property that bears the name of its class.
        yield f"{name}_" if name == message.name else name
        yield f"{name}FieldNumber"
        if has_presence(field) and field.type != Field.TYPE_MESSAGE:
            yield from (f"Has{name}", f"Clear{name}")
    for name in oneofs(message):
        yield from (f"{pascal(name)}Case", f"Clear{pascal(name)}")


def php_members(message: pb.DescriptorProto) -> Iterator[str]:
    for field in message.field:
        name = pascal(field.name).lower()
        yield from (f"get{name}", f"set{name}")
        if has_presence(field):
            yield from (f"has{name}", f"clear{name}")
    yield from (f"get{pascal(name).lower()}" for name in oneofs(message))


def swift_members(message: pb.DescriptorProto) -> Iterator[str]:
    for field in message.field:
        yield camel(field.name)
        if has_presence(field):
            yield from (f"has{pascal(field.name)}", f"clear{pascal(field.name)}")
    yield from (camel(name) for name in oneofs(message))


def stripped(enum: pb.EnumDescriptorProto) -> Iterator[str]:
    """The values without the prefix of the enum, as C#, Swift and TypeScript have them."""
    prefix = enum.value[0].name.removesuffix("UNSPECIFIED")
    return (value.name.removeprefix(prefix) for value in enum.value)


def go_names(file: pb.FileDescriptorProto) -> Iterator[str]:
    """Everything that a file puts into the one package."""
    yield f"File_{file.name.replace('/', '_').replace('.', '_')}"
    yield from (f"E_{go(extension.name)}" for extension in file.extension)
    for enum in file.enum_type:
        yield from (enum.name, f"{enum.name}_name", f"{enum.name}_value")
        yield from (f"{enum.name}_{value.name}" for value in enum.value)
    for message in file.message_type:
        yield from _go_message(message, "")
    for service in file.service:
        for made in (
            "{}Client",
            "{}Server",
            "New{}Client",
            "Register{}Server",
            "Unimplemented{}Server",
            "Unsafe{}Server",
            "{}_ServiceDesc",
        ):
            yield made.format(service.name)
        for method in service.method:
            yield f"{service.name}_{method.name}_FullMethodName"
            if method.server_streaming or method.client_streaming:
                yield from (f"{service.name}_{method.name}Client", f"{service.name}_{method.name}Server")


def _go_message(message: pb.DescriptorProto, outer: str) -> Iterator[str]:
    name = f"{outer}{message.name}"
    yield name
    written = set(oneofs(message))
    for field in message.field:
        if field.HasField("oneof_index") and message.oneof_decl[field.oneof_index].name in written:
            yield f"{name}_{go(field.name)}"
    for nested in message.nested_type:
        if not nested.options.map_entry:
            yield from _go_message(nested, f"{name}_")


def java_names(file: pb.FileDescriptorProto) -> Iterator[str]:
    """Every file that Java's generator writes, less its ending."""
    yield file.options.java_outer_classname
    yield from (enum.name for enum in file.enum_type)
    for message in file.message_type:
        yield from (message.name, f"{message.name}OrBuilder")
    yield from (f"{service.name}Grpc" for service in file.service)


def typescript_names(file: pb.FileDescriptorProto) -> Iterator[str]:
    """What a file exports."""
    yield f"file_{file.name.removesuffix('.proto').replace('/', '_')}"
    for name in (*(message.name for message in file.message_type), *(enum.name for enum in file.enum_type)):
        yield from (name, f"{name}Schema")
    yield from (service.name for service in file.service)
    yield from (extension.name for extension in file.extension)
