//! What a page says after a form was sent: a closed set of codes in the URL, never an error's text.

use gatehouse_types::codes;

use super::Lang;

/// Declares a closed set of codes with what each says in both languages.
macro_rules! code_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $code:expr => $en:literal | $es:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every member of the set.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word in the URL.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// Reads the word back; words outside the set say nothing.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.code() == code)
            }

            /// What it says to people.
            pub const fn text(self, lang: Lang) -> &'static str {
                match (self, lang) { $((Self::$variant, Lang::En) => $en, (Self::$variant, Lang::Es) => $es,)* }
            }
        }
    };
}

code_set! {
    /// What went well, as `?ok=` carries it.
    Notice {
        /// A change was kept.
        Saved "saved" => "Saved." | "Guardado.",
        /// Something new exists.
        Created "created" => "Created." | "Creado.",
        /// Something is gone.
        Removed "removed" => "Removed." | "Eliminado.",
        /// This browser is signed out.
        SignedOut "signed_out" => "You are signed out." | "Has cerrado la sesión.",
        /// The portal was set up.
        SetUp "set_up" => "The first admin account exists. Sign in with it." | "La primera cuenta de administración existe. Inicia sesión con ella.",
        /// An access session was opened.
        SessionOpened "session_opened" => "The service is open for your address." | "El servicio está abierto para tu dirección.",
        /// An access session lasts longer.
        SessionExtended "session_extended" => "The session lasts longer now." | "La sesión dura ahora más tiempo.",
        /// An access session follows its owner.
        SessionMoved "session_moved" => "The service is open for your present address, and no longer for the old one." | "El servicio está abierto para tu dirección actual, y ya no para la anterior.",
        /// An access session was closed.
        SessionClosed "session_closed" => "The session is closed. Nobody gets in through it any more." | "La sesión está cerrada. Ya nadie entra por ella.",
        /// One sign-in was closed.
        LoginClosed "login_closed" => "That sign-in is closed. It no longer works." | "Ese inicio de sesión está cerrado. Ya no funciona.",
        /// All other sign-ins were closed.
        LoginsClosed "logins_closed" => "All other sign-ins are closed." | "Los demás inicios de sesión están cerrados.",
        /// The password was changed.
        PasswordChanged "password_changed" => "Your password is changed. All other sign-ins are closed." | "Tu contraseña ha cambiado. Los demás inicios de sesión están cerrados.",
        /// An image arrived whole.
        Uploaded "uploaded" => "The image arrived whole and is kept as a draft. Publish it when it is ready." | "La imagen llegó completa y queda como borrador. Publícala cuando esté lista.",
        /// The very same image was there already.
        UploadedBefore "uploaded_before" => "This very image was here already. Nothing changed." | "Esta misma imagen ya estaba aquí. Nada ha cambiado.",
        /// A release is published.
        Published "published" => "Published. Devices get it with their next check." | "Publicada. Los dispositivos la reciben en su próxima comprobación.",
        /// A release waits for a second admin.
        Requested "requested" => "Noted. Another admin has to agree before devices see it." | "Anotado. Otro administrador debe aceptar antes de que los dispositivos la vean.",
        /// A rollout goes on.
        Resumed "resumed" => "The rollout goes on." | "El despliegue sigue.",
        /// A rollout stands still.
        Paused "paused" => "The rollout is paused." | "El despliegue está en pausa.",
        /// A device's update is to stop.
        ActionCancelled "action_cancelled" => "The device is told to stop with its next word." | "Se le dice al dispositivo que pare en cuanto vuelva a hablar.",
        /// A device may try again.
        ActionRetried "action_retried" => "The device is offered the release again with its next check." | "El dispositivo vuelve a recibir la oferta en su próxima comprobación.",
        /// A release is withdrawn.
        Withdrawn "withdrawn" => "Withdrawn. Devices are no longer offered it." | "Retirada. Ya no se ofrece a los dispositivos.",
        /// An invitation ended.
        InvitationRevoked "invitation_revoked" => "The invitation is revoked. It no longer works, and what was open with it closes." | "La invitación está revocada. Ya no funciona, y lo abierto con ella se cierra.",
        /// A project has a second key.
        KeyMade "key_made" => "A second key stands. Bring the new bundle to every device before you end the old key." | "Ya hay otra clave. Lleva el paquete nuevo a cada dispositivo antes de terminar la vieja.",
        /// The older of a project's keys ended.
        KeyEnded "key_ended" => "The old key is ended. Releases are signed with the new one." | "La clave vieja ha terminado. Las versiones se firman con la nueva.",
        /// A token ended.
        TokenRevoked "token_revoked" => "The token is revoked. It no longer works." | "El token está revocado. Ya no funciona.",
    }
}

code_set! {
    /// What went wrong, as `?error=` carries it.
    Problem {
        /// E-mail or password do not fit; it never says which.
        Credentials "credentials" => "This e-mail and password do not go together. Check both and try again." | "Este correo y esta contraseña no corresponden. Revisa ambos e inténtalo de nuevo.",
        /// The two new passwords differ.
        PasswordsDiffer "passwords_differ" => "The two passwords differ. Type the same one twice." | "Las dos contraseñas son distintas. Escribe la misma dos veces.",
        /// The set-up link is wrong, replaced or too old, and there is no account yet.
        SetupLink "setup_link" => "This set-up link is wrong, or older than 30 minutes. Restart the portal: it prints a new one while there is no account." | "Este enlace de configuración es incorrecto o tiene más de 30 minutos. Reinicia el portal: imprime uno nuevo mientras no haya cuentas.",
        /// The router daemon does not answer.
        RouterDown "router_unreachable" => "The router does not answer, so nothing was opened. Try again in a minute; if it goes on, tell an admin." | "El router no responde, así que no se abrió nada. Inténtalo en un minuto; si sigue así, avisa a un administrador.",
        /// The other bytes stand under this version already.
        OtherBytes codes::OTHER_BYTES => "This version exists with other bytes, and a version never changes. Upload the image under a new version." | "Esta versión ya existe con otros bytes, y una versión nunca cambia. Sube la imagen con una versión nueva.",
        /// The request cannot be read.
        BadRequest codes::BAD_REQUEST => "The portal could not read what was sent. Go back, check the form and send it again." | "El portal no pudo leer lo enviado. Vuelve, revisa el formulario y envíalo de nuevo.",
        /// The client's address cannot be told.
        NoClientAddress codes::NO_CLIENT_ADDRESS => "The portal cannot tell your address, so it opens nothing. An admin can set the trusted proxies right." | "El portal no puede saber tu dirección, así que no abre nada. Un administrador puede corregir los proxies de confianza.",
        /// Nobody is signed in.
        Unauthenticated codes::UNAUTHENTICATED => "You are not signed in, or your sign-in has ended. Sign in and try again." | "No has iniciado sesión o ya terminó. Inicia sesión e inténtalo de nuevo.",
        /// This role may not.
        Forbidden codes::FORBIDDEN => "Your account may not do this. Ask an admin." | "Tu cuenta no puede hacer esto. Pídeselo a un administrador.",
        /// It came from another site.
        Csrf codes::CSRF => "The form came from another site and was refused. Open the page here and send it again." | "El formulario venía de otro sitio y fue rechazado. Abre la página aquí y envíalo de nuevo.",
        /// It does not exist.
        NotFound codes::NOT_FOUND => "It does not exist any more, or it is not yours. Go back to the list." | "Ya no existe o no es tuyo. Vuelve a la lista.",
        /// It collides with what is there.
        Conflict codes::CONFLICT => "This collides with something that is there already. Reload the page to see how it stands now." | "Esto choca con algo que ya existe. Recarga la página para ver el estado actual.",
        /// The name or address is taken.
        Taken codes::TAKEN => "This name is taken. Choose another." | "Este nombre ya está en uso. Elige otro.",
        /// It is over already.
        Finished codes::FINISHED => "It is over already, so there is nothing left to change." | "Ya terminó, así que no queda nada que cambiar.",
        /// The last admin must stay.
        LastAdmin codes::LAST_ADMIN => "This is the last admin. Make another admin first." | "Es la última cuenta de administración. Crea otra primero.",
        /// The visitor and the service speak different address families.
        AddressFamily codes::ADDRESS_FAMILY => "You reach the portal over one kind of address (IPv4 or IPv6) and this service has the other. Reach the portal over the service's kind and open it there." | "Llegas al portal con un tipo de dirección (IPv4 o IPv6) y este servicio tiene el otro. Entra al portal con el tipo del servicio y ábrelo allí.",
        /// The visitor's address is another one than the page showed.
        AddressChanged codes::ADDRESS_CHANGED => "Your address is another one now than this page showed before, so nobody was let in. Look at your present address below and try again." | "Tu dirección ya no es la que mostraba esta página, así que no se dejó entrar a nadie. Mira abajo tu dirección actual e inténtalo de nuevo.",
        /// A session limit is reached.
        LimitReached codes::LIMIT_REACHED => "The limit of open sessions is reached. Close one and try again." | "Se alcanzó el límite de sesiones abiertas. Cierra una e inténtalo de nuevo.",
        /// The service is open as often as it may be.
        ServiceLimitReached codes::SERVICE_LIMIT_REACHED => "This service is open as often as it may be. Try again when somebody has closed it." | "Este servicio está abierto tantas veces como se permite. Inténtalo cuando alguien lo haya cerrado.",
        /// The visitor's address has as many sessions as it may have.
        AddressLimitReached codes::ADDRESS_LIMIT_REACHED => "Your address has as many open sessions as it may have, those of others behind it included. Close one and try again." | "Tu dirección tiene tantas sesiones abiertas como se permite, contando las de otros tras ella. Cierra una e inténtalo de nuevo.",
        /// The account has as many invitations as it may have.
        InvitationLimitReached codes::INVITATION_LIMIT_REACHED => "You have as many invitations as an account may have. Revoke one and try again." | "Tienes tantas invitaciones como se permiten. Revoca una e inténtalo de nuevo.",
        /// Whoever invited the guest has as many sessions as they may have.
        InviterLimitReached codes::INVITER_LIMIT_REACHED => "Whoever invited you has too many sessions open now. Try again later, or ask them to close one." | "Quien te invitó tiene ahora demasiadas sesiones abiertas. Inténtalo más tarde o pídele que cierre una.",
        /// The upload is over the limit.
        TooLarge codes::TOO_LARGE => "The file is larger than this portal takes. Nothing was kept." | "El archivo es más grande de lo que acepta este portal. No se guardó nada.",
        /// The project has no room for the image.
        QuotaExceeded codes::QUOTA_EXCEEDED => "The project has no room for this image. Nothing was kept. Delete drafts that nobody needs, or raise the project's quota." | "El proyecto no tiene sitio para esta imagen. No se guardó nada. Borra borradores que nadie necesite o amplía la cuota del proyecto.",
        /// A field's value cannot be taken.
        Invalid codes::INVALID => "One entry cannot be taken. It is marked below." | "Un dato no es válido. Está marcado abajo.",
        /// The image is cut off.
        ImageTruncated codes::IMAGE_TRUNCATED => "The image is cut off: it ends before everything that its headers announce. Nothing was kept. Build or fetch it again." | "La imagen está cortada: termina antes de todo lo que anuncian sus cabeceras. No se guardó nada. Compílala u obtenla de nuevo.",
        /// The image's checksum is wrong.
        ImageChecksum codes::IMAGE_CHECKSUM => "The image is damaged: its checksum is wrong, and no device would start it. Nothing was kept. Build or fetch it again." | "La imagen está dañada: su suma de comprobación no es correcta y ningún dispositivo la arrancaría. No se guardó nada. Compílala u obtenla de nuevo.",
        /// The SHA-256 appended to the image is wrong.
        ImageHash codes::IMAGE_HASH => "The image is damaged: the SHA-256 at its end is wrong, and no device would start it. Nothing was kept. Build or fetch it again." | "La imagen está dañada: el SHA-256 de su final no es correcto y ningún dispositivo la arrancaría. No se guardó nada. Compílala u obtenla de nuevo.",
        /// The image is for another chip.
        ImageChip codes::IMAGE_CHIP => "The image is built for a chip that this project does not name. Choose the image for its chip, or add the chip to the project's hardware." | "La imagen está compilada para un chip que este proyecto no nombra. Elige la imagen de su chip o añade el chip al hardware del proyecto.",
        /// The image's security version fell.
        ImageSecureVersion codes::IMAGE_SECURE_VERSION => "The image's security version is lower than that of a published release, so devices with anti-rollback would not start it. Build it with a higher one." | "La versión de seguridad de la imagen es menor que la de una versión publicada, así que los dispositivos con protección contra retrocesos no la arrancarían. Compílala con una mayor.",
        /// The image belongs to another firmware.
        ImageName codes::IMAGE_NAME => "The image calls its firmware otherwise than the newest published release. Check that it belongs to this project, then publish it anyway." | "La imagen llama a su firmware de otro modo que la última versión publicada. Comprueba que es de este proyecto y publícala de todos modos.",
        /// The image was built as another version.
        ImageVersion codes::IMAGE_VERSION => "The image was built as another version than it was uploaded as. Check which is right, then publish it anyway or upload it anew." | "La imagen se compiló como otra versión que la indicada al subirla. Comprueba cuál es la correcta y publícala de todos modos o súbela de nuevo.",
        /// Too many tries.
        TooMany codes::TOO_MANY => "Too many tries. Wait a minute, then try again." | "Demasiados intentos. Espera un minuto e inténtalo de nuevo.",
        /// A fault of ours.
        Internal codes::INTERNAL => "Something failed inside the portal, and the log has the cause. Try again; if it goes on, tell an admin the request id below." | "Algo falló dentro del portal y el registro tiene la causa. Inténtalo de nuevo; si sigue así, comunica a un administrador el identificador de abajo.",
        /// Something needed does not answer.
        Unavailable codes::UNAVAILABLE => "The portal is busy or waits for something that does not answer. Try again in a minute." | "El portal está ocupado o espera algo que no responde. Inténtalo en un minuto.",
        /// No room left.
        StorageFull codes::STORAGE_FULL => "The portal's disk is full. Nothing was kept; an admin has to make room." | "El disco del portal está lleno. No se guardó nada; un administrador debe hacer sitio.",
    }
}

/// Says what would do in a field whose value was refused.
#[expect(clippy::too_many_lines, reason = "a table with one entry a field")]
pub fn field_text(field: &str, problem: Problem, lang: Lang) -> &'static str {
    if problem != Problem::Invalid {
        return problem.text(lang);
    }
    let (english, spanish) = match field {
        "email" => (
            "An e-mail address looks like name@example.org.",
            "Un correo tiene la forma nombre@example.org.",
        ),
        "password" | "new_password" => (
            "Use 15 characters or more that are not a common password. A few random words do well.",
            "Usa 15 caracteres o más que no sean una contraseña común. Unas palabras al azar sirven bien.",
        ),
        "current" => (
            "That is not your current password.",
            "Esa no es tu contraseña actual.",
        ),
        "name" | "title" | "label" => (
            "A short name of at most 80 characters is needed, without control characters.",
            "Hace falta un nombre corto de 80 caracteres como máximo, sin caracteres de control.",
        ),
        "project" | "file_name" | "file" => (
            "It starts with a letter or digit and holds only letters, digits, dots, dashes and underscores.",
            "Empieza con letra o dígito y solo lleva letras, dígitos, puntos, guiones y guiones bajos.",
        ),
        "version" => (
            "A version looks like 1.4.0.",
            "Una versión tiene la forma 1.4.0.",
        ),
        "address" => (
            "An address looks like host:port, for example 192.0.2.1:9999.",
            "Una dirección tiene la forma equipo:puerto, por ejemplo 192.0.2.1:9999.",
        ),
        "lan_ip" => (
            "Enter an address of the LAN, for example 192.168.1.50.",
            "Escribe una dirección de la red local, por ejemplo 192.168.1.50.",
        ),
        "lan_port" => (
            "A port is a number from 1 to 65535.",
            "Un puerto es un número de 1 a 65535.",
        ),
        "public_port" => (
            "A public port is a number from 1024 to 65534.",
            "Un puerto público es un número de 1024 a 65534.",
        ),
        "minutes" | "default_minutes" | "max_minutes" => (
            "Enter whole minutes within the limits of the service.",
            "Escribe minutos enteros dentro de los límites del servicio.",
        ),
        "expires_minutes" => (
            "Enter whole minutes: at least 1, and no more than can be chosen here.",
            "Escribe minutos enteros: al menos 1 y no más de lo que aquí se permite.",
        ),
        "max_uses" => (
            "Enter a whole number from 1 to 100.",
            "Escribe un número entero de 1 a 100.",
        ),
        "url_path" => (
            "A path starts with one slash, such as /web; write https:/web for a service that speaks TLS.",
            "Una ruta empieza con una barra, como /web; escribe https:/web si el servicio usa TLS.",
        ),
        "router_id" | "service_id" | "icon" | "protocol" | "kind" | "wake" | "role" => (
            "Choose one of those on offer.",
            "Elige una de las opciones.",
        ),
        "mac" => (
            "A hardware address looks like 02:00:5e:10:00:01 and is not one of a group.",
            "Una dirección física tiene la forma 02:00:5e:10:00:01 y no es de un grupo.",
        ),
        "url" => (
            "This address cannot be called: the operator must allow its origin and set a secret first.",
            "No se puede llamar a esta dirección: el operador debe permitir antes su origen y fijar un secreto.",
        ),
        "from" | "to" => (
            "A date looks like 2026-01-31.",
            "Una fecha tiene la forma 2026-01-31.",
        ),
        "cert_sha256" => (
            "The pin has 64 hexadecimal digits.",
            "La huella tiene 64 dígitos hexadecimales.",
        ),
        "api_key" | "aes_key" => (
            "The key needs 16 characters or more.",
            "La clave necesita 16 caracteres o más.",
        ),
        "hardware" => (
            "Enter at most 16 chips separated by commas, each a word such as esp32s3.",
            "Escribe como máximo 16 chips separados por comas, cada uno una palabra como esp32s3.",
        ),
        "attributes" => (
            "Write one attribute a line, such as room=hall: 32 at most, each half 80 characters at most.",
            "Escribe un atributo por línea, como sala=recibidor: 32 como máximo, cada mitad de 80 caracteres como máximo.",
        ),
        "group" | "current_fw" => (
            "At most 80 characters fit, without control characters.",
            "Caben 80 caracteres como máximo, sin caracteres de control.",
        ),
        "percent" => (
            "Enter a whole number from 0 to 100.",
            "Escribe un número entero de 0 a 100.",
        ),
        "error_threshold_percent" => (
            "Enter a whole number from 1 to 100, or leave it empty.",
            "Escribe un número entero de 1 a 100 o déjalo vacío.",
        ),
        "groups" => (
            "Write one group a line: 16 at most, each named once, 80 characters at most.",
            "Escribe un grupo por línea: 16 como máximo, cada uno una vez, de 80 caracteres como máximo.",
        ),
        "starts_at" => (
            "A moment looks like 2026-01-31T22:00, in UTC.",
            "Un momento tiene la forma 2026-01-31T22:00, en UTC.",
        ),
        "window" => (
            "Choose two different hours, or any hour in both.",
            "Elige dos horas distintas, o cualquier hora en ambas.",
        ),
        "deadline_minutes" => (
            "Enter whole minutes from 5 to 43200 (30 days), or leave it empty.",
            "Escribe minutos enteros de 5 a 43200 (30 días) o déjalo vacío.",
        ),
        "min_version" => (
            "A version looks like 1.4.0; leave it empty for any.",
            "Una versión tiene la forma 1.4.0; déjala vacía para cualquiera.",
        ),
        "poll_s" => (
            "Enter whole seconds from 5 to 86400 (a day).",
            "Escribe segundos enteros de 5 a 86400 (un día).",
        ),
        "quota_bytes" => (
            "Enter whole MiB, or leave it empty for no limit.",
            "Escribe MiB enteros o déjalo vacío si no hay límite.",
        ),
        "controller_id" => (
            "At most 128 letters, digits, dots, colons, dashes, underscores and @ fit.",
            "Caben 128 letras, dígitos, puntos, dos puntos, guiones, guiones bajos y @ como máximo.",
        ),
        "device_id" => (
            "A device id is a UUID.",
            "El identificador de un dispositivo es un UUID.",
        ),
        _ => (
            "This value cannot be taken. Check it and try again.",
            "Este valor no es válido. Revísalo e inténtalo de nuevo.",
        ),
    };
    match lang {
        Lang::En => english,
        Lang::Es => spanish,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_names_one_problem() {
        for problem in Problem::ALL {
            assert_eq!(Problem::from_code(problem.code()), Some(*problem));
        }
        for notice in Notice::ALL {
            assert_eq!(Notice::from_code(notice.code()), Some(*notice));
        }
        assert_eq!(Problem::from_code("<script>"), None);
    }
}
